"""From facts to the cloud, none lost.

outbox          the writing end: facts become events on disk, in groups, numbered without a gap
outbox_file     its SQLite file: tables, version, notes
migrations      versions of SQLite files: forward, never backward
outbox_repair   what to do with a damaged one
outbox_salvage  what can still be read of it
outbox_room     its size limit: what goes first
outbox_reader   the reading end
losses          what was dropped, and what goes first
delivery        what to send next and what counts as delivered (pure)
mqtt            one connection to a broker
session         one connection's worth of delivery
sender          keeps a connection and empties the outbox through it
secrets         passwords, keys and certificates from files
certificates    how long ours is valid, and asking for one
receive         a consumer for the cloud side: removes duplicates, finds gaps, acknowledges
cloud_store     what it keeps: every event once, and an account of every number
broker          a private Mosquitto for the demo and the tests
cli             tagsight events, tagsight uplink
"""
