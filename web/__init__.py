"""Pages that a person looks at: what the box's console and the fleet's board have in common.

`security` says who may do what: users, sessions, tokens, limits, certificates. `pages` renders templates and
serves files, `feed` sends what happens as it happens, `plan` draws a shop's floor, `charts` and `table` give
figures to look at and to take away. Nothing here knows a box or a fleet.
"""
