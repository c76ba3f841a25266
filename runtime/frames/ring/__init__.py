"""A ring buffer of frames that processes share without copying.

`buffer` is the memory (a sealed memfd, a page of header per slot), `slots` the writer's ledger of who holds
which slot, `lending` the two ends of the socket over which slots are lent and given back.
"""
