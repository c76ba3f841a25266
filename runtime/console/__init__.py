"""The shop in a browser: a process like the others, that looks at what the box sees.

`shown` is what it knows of the store. `live` is the state of the moment, told by the store process while
somebody looks; `days` are events, read from the outbox, in figures; `drawing` is store.yaml drawn and
written; `measuring` maps a camera to the floor; `pictures` are camera pictures with heads made
unrecognisable; `health_words` says how the box is. `app` puts the pages together, `server` serves them in a
thread of its own.
"""
