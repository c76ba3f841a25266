"""Training of the nets that look at single persons: re-identification and action.

`recipe` reads settings, `gather` cuts persons out of pool and clips, `augment` makes them hard to see;
`reid_*` and `action_*` have what is their own; `tuning` goes on with a trained re-identification net on drawn
people; `export` writes the ONNX files.
"""
