"""LLRP on the wire.

`frames` cuts a byte stream into messages and refuses what is not LLRP; `codec` is the only place that
touches sllurp's message codec; `reports` reads tag reports straight from the bytes (they are nearly all
of the traffic); `capabilities` and `rospec` say what a reader can do and ask it to do it.
"""
