"""Whether a config fits together, each check a function that notes mistakes in the draft.

`sections` (names, entrances, areas, articles, readers), `cameras` (addresses and logins), `maps` and `points`
(from picture to floor), `coverage` (can the cameras see what they are to count), `files` and `image_size`
(what the config names on disk).
"""
