"""The shop in a browser: a process like the others, that looks at what the box sees.

`shown` is what it knows of the store. `daybook` keeps today's events, read from the outbox; `live` is the
state of the moment, told by the store process while somebody looks; `pictures` are camera pictures with heads
made unrecognisable; `health_words` says how the box is. `app` puts the pages together, `server` serves them
in a thread of its own.
"""
