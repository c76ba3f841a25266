"""One module per process of the box: the only place where rooms meet.

Each has `main(control, spec)`: one socket to the supervisor at start, everything else by `Attach`.
"""
