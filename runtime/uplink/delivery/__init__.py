"""From the outbox to the broker, until every event is known to have arrived.

sender     keeps a connection and empties the outbox through it
settings   what holds for every connection of one sender
session    one connection's worth of delivery
window     what to send next, and what counts as delivered (pure)
outgoing   events into messages that the broker takes
listener   acknowledgements, replay requests, statuses
namesakes  what follows from what others say under this device's name (pure)
stats      figures of delivery for health
"""
