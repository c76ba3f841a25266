"""Starts, watches and restarts the processes of the box.

topology       which processes a store needs and who talks to whom (pure)
changes        what another configuration means for them, key by key (pure)
restarts       when a process that died may start again (pure)
standing       who is there and who is not (pure)
configuration  the one in force; reading: a newer one, read in a process of its own
statefolder    the version of what lies in the state folder
statehold      our lock on it, and trying again while it cannot be used
forkserver     the process that children are forked from
nursery        the supervisor's end of it
child          the first code that runs in a child process
children       a child as the supervisor knows it: its life, its silence, its stalls
family         all children: started, connected, heard, buried
shortage       what a machine lacks when the kernel refuses, in words
journal        log records for systemd's journal
notify         what systemd is told, herald: when
arbiter        the loop that decides what runs
"""
