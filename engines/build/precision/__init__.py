"""A network in another precision, and whether it still does its work.

`conversion` writes fp32, fp16 and 8-bit ONNX (`graphs` reads and changes it), `samples` are inputs to
calibrate and compare with, `parity` compares answers, `eightbit` decides whether 8 bits are good enough.
"""
