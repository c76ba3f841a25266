"""Bodies, clothes and motion: `parts.npz` (made by `bake`), `dressing`, `posing`, `motions`."""
