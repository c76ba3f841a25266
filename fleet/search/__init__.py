"""A garment's picture by words, and garments that look alike.

`words` reads English and Chinese as concepts (`garments.yaml`), `looks` measures pictures, `asking` draws
queries that a described picture answers, `towers`, `losses` and `training` learn from them (torch),
`word_tower` and `index` are what runs in a shop (numpy, faiss), `ranking` scores lists, adds matchers up and
has what a contest did to its lists after.
"""
