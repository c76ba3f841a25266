"""RFID: tag reads in, flips out.

A tour, in the direction the data walks:

- `settings` says where a reader is and how it should read; `session/` keeps one reader reading through every
  fault, on `llrp/` (the wire).
- `reads` is the record everything shares: the read table, in memory and in files.
- `flips/` finds handled garments in reads; `presence` finds garments in fitting rooms.
- `antenna_calibration` learns a quiet store from a recording.
- `simulator/` is a reader to test against: real LLRP, simulated radio, ground truth.
- `cli` is `tagsight rfid`.
"""
