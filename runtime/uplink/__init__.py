"""From facts to the cloud, none lost.

outbox      facts become events on disk, numbered without a gap
broker      one connection to an MQTT broker: TLS, certificates, what the broker permits
delivery    empties the outbox through that connection, and knows what counts as delivered
cloud       a reference consumer for the other side: every event once, and an account of every number
configured  the broker of store.yaml as these settings
cli         tagsight uplink; events_cli: tagsight events
"""
