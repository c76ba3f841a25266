"""Training of our own nets by distillation (extra `train`); not installed with the product.

`detector/` trains the person detector, `crops/` the nets on single persons: re-identification and action.
`recipes/` are the settings of the shipped ones. `loop` is the training loop of all, `reload` starts from
published or exported weights, `average` takes the mean of two checkpoints. Pictures, teachers and measures
are in `engines.evaluation`. `synthetic/` (extra `synthetic`) draws labelled shops.

Run `python -m engines.training --help`.
"""
