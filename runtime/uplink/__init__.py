"""From facts to the cloud, none lost.

outbox      facts become events on disk, numbered without a gap
delivery    empties the outbox through a connection of `broker`, and knows what counts as delivered
configured  the broker of store.yaml as the settings of that
cli         tagsight uplink; events_cli: tagsight events
"""
