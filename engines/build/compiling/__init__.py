"""Compiling an ONNX file to a TensorRT plan, in a process of its own.

`job` is what the two sides say to each other, `worker` the side that calls TensorRT (and may crash, hang or
eat memory), `supervised` the side that watches it.
"""
