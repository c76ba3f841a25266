"""Engines for this machine's GPU: what is wanted, built, verified, stored and reported.

`wanted` says which engines a network needs here, `site` what they are built with, `builder` builds one:
`precision/` makes the network fp32, fp16 or 8-bit, `compiling/` runs TensorRT in a process of its own,
`verification` and `trial` compare the engine with its network. `store` keeps plans by their `key`, with a
`manifest` beside each; `report` and `cli` show them. An engine is used only when it was verified.
"""
