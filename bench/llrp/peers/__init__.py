"""Other LLRP programs, each run by a Python that has it (`scripts/fetch-llrp-peers`), never imported here.

A client takes HOST PORT SECONDS and prints one JSON list: [epc, antenna, rssi_dbm, phase_rad] of every read,
null where the reader did not say.
"""
