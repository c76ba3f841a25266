"""Training of the person detector.

`prepare` gathers photos and frames, has the teachers label them and `cutouts` cut persons out; `scenes`,
`augment` and `pasting` turn them into training pictures; `assign` and `losses` say what is right, `hint` and
`soft` what the teachers add; `train` runs, `ablation` measures each part, `export` writes the ONNX files,
`adapt` fits the net to one store.
"""
