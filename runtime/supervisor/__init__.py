"""Starts, watches and restarts the processes of the box.

topology       which processes a store needs and who talks to whom (pure)
changes        what another configuration means for them, key by key (pure)
restarts       when a process that died may start again (pure)
standing       who is there and who is not (pure)
configuration  the one in force; reading: a newer one, read in a process of its own
statefolder    the version of what lies in the state folder
child          the first code that runs in a child process
children       a child as the supervisor knows it: its life, its silence, its stalls
journal        log records for systemd's journal
notify         what systemd is told, herald: when
arbiter        the loop that holds it all together
"""
