"""Starts, watches and restarts the processes of the box.

topology    which processes a store needs and who talks to whom (pure)
restarts    when a process that died may start again (pure)
child       the first code that runs in a child process
notify      what systemd is told
arbiter     the loop that holds it all together
"""
