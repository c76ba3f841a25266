"""What is made of the rows: plain SQL, layer by layer, one text for every engine.

10 ods   what came, a table a kind        20 dwd   what holds: the highest revision, nothing withdrawn
21 dim   what facts are joined with       30 dws   lightly aggregated          40 ads   what is asked

The first two are made from the columns (`texts`), the others lie here as files. No model reads JSON or
computes dates: ingestion has settled both. `keys.yaml` says of each table its columns, key and feeds.
"""
