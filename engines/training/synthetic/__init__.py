"""A synthetic shop: scenes of `engines.scene`, drawn with labels.

`people/` are bodies, clothes and motion, `drawing/` the shop, the renderer and the sensor. `stage` builds a
scene, `labels` says what is true of a picture, `filming` makes videos of it; `checking` holds labels against
rays cast one by one (`rays`). `standing` and `sheet` make scenes; `throughput` and `evaluating` measure.
`python -m engines.training.synthetic --help`.
"""
