"""A reader session that never sticks: connect, configure, read; on any fault start over.

`reader_session` is what others use. Beneath it: `connection` (one LLRP connection from connect to end),
`protocol_handler` (its messages, without the connection), `batcher` (reports into batches of reads),
`reader_clock` (reader time to host time), `remarks` (what a reader's reports lack), and `health`.
"""
