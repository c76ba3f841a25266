"""Training of the nets that look at single persons: re-identification and action.

`recipe` reads settings, `gather` cuts persons out of pool and clips, `augment` makes them hard to see, `loop`
is the training loop of both; `reid_*` and `action_*` have what is their own; `export` writes the ONNX files.
"""
