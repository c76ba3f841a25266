"""From facts to the cloud, none lost.

events          the envelope around a fact: id, seq, time, key and revision; the gap event
describe        an event in words
schema          JSON Schema and AsyncAPI of all of it
outbox          the writing end: facts become events on disk, in groups, numbered without a gap
outbox_file     its SQLite file: tables, version, notes
migrations      versions of SQLite files: forward, never backward
outbox_repair   what to do with a damaged one
outbox_salvage  what can still be read of it
outbox_room     its size limit: what goes first
outbox_reader   the reading end
losses, ranges  what was dropped, what was delivered: sets of sequence numbers
wire            topics and payloads: single events, deflated batches, status, acknowledgements
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
