"""From an image to persons: networks as they are used.

`preprocess` lays an image into the network's input, `reading` says how it is fed and read, `decoders` turn
raw outputs into candidate boxes, `nms` keeps the best of each heap, `detector` joins these. `crops` runs
networks on the persons found: `reid` (embeddings) and `action`.
"""
