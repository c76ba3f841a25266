"""The fitting mirror: what is tried on, what looks like it, what goes with it, and a button for the staff.

`catalogue` is the one file that the screen needs; `building` makes it from a list of garments and the
warehouse, by `together` (what goes with what) and `alike`; `embedding` learns from the list's pictures.
`following` reads try-ons as they are written, `rooms` knows what hangs in each room now and forgets it,
`suggesting` chooses what is shown, `interleaving` compares two ways of choosing, `shown_log` notes what was
shown without saying to whom, `pages` and `server` show it.
"""
