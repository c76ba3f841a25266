"""The table of faults: each strikes, and every event is accounted for.

`rows/` are the faults; what they strike is a device process (`rig`), the whole daemon (`box`), or daemon and
receiver as processes (`trial`). `mends` takes single mends back, to see the row fail.
"""
