"""A simulated RFID reader: real LLRP over TCP, physics underneath, ground truth beside it.

`scenarios/` describe a store (YAML) or make a random one, `people/` says who is where and handles what,
`motion` and `radio/` make the signal of it; `world` puts these together. `llrp/` speaks as an Impinj R420
would and goes wrong on demand. `sources` hands reads to it, `offline` and `recordings` write them without a
network, `truth` the true flips beside them.
"""
