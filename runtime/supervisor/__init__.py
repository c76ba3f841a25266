"""Starts, watches and restarts the processes of the box.

arbiter        the loop that decides what runs
topology       which processes a store needs and who talks to whom (pure)
signals        SIGTERM, SIGINT and SIGHUP, noted for the loop
children/      the processes: each one, all of them, their first code, their restarts
forkserver/    the process that children are forked from, and the supervisor's end of it
configuration/ the one in force, a newer one, what changes
state/         the state folder: its version, and our lock on it
systemd/       readiness, status, notifications, the journal
"""
