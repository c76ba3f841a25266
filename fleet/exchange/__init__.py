"""Events in the forms that other systems take.

`tags` are EPCs as GTIN and serial, `epcis` what happened to them, `cloud_events` every event in structured
mode, `files` writes them.
"""
