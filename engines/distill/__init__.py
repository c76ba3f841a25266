"""Training of our own nets (extra `train`), teachers included.

`pool` gathers photos and frames, `labels` has the teachers look at them, `cutouts` cuts persons out for
pasting, `prepare` runs these three; `augment` and `scenes` turn the pool into training pictures, `assign` and
`losses` say what is right, `train` runs, `evaluate` measures, `export` writes the ONNX files.

Run `python -m engines.distill --help`.
"""
