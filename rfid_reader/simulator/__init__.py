"""A simulated RFID reader: real LLRP over TCP, physics underneath, ground truth beside it.

`scenario` describes a store (YAML), `people`, `browsers` and `handling` say who is where and turns over what,
`motion` and `physics` make the radio signal of it, `hopping` and `inventory` the reader's timing; `world`
puts these together. `server` speaks LLRP as an Impinj R420 would, on what `wire`, `abilities` and `rospecs`
build and parse, and goes wrong on demand (`faults`). `stores` generates random stores for evaluation.
"""
