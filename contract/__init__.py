"""What a box and whoever consumes its events agree on. Imports nothing else of tagsight.

facts      what a store concludes, kind by kind; base has what they share
people     how many are where, and what they are like: told of many at once only
shop       how the shop is set up: time zone, opening hours, layout
gaps       the event that names events which will not come
envelope   the fields around a fact: id, stream, seq, time, key, revision
wire       topics and payloads: single events, deflated batches, status, acknowledgements
ranges     sets of sequence numbers: what came, what is missing
describe   an event in words
fields     description, unit and example of a field
schema     JSON Schema and AsyncAPI of all of it
stored     the schema as files; compatibility says what may not change in them
"""
