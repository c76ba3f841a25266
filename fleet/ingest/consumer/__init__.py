"""A reference consumer: what a back end does so that nothing is lost.

receiver  takes events off a broker, acknowledges, asks again for what is missing
store     every event once, in SQLite
audit     the verdict on each stream
reading   gap events, and what an event that cannot be read still says
account   which numbers of a stream came, which will not, which are missing
tables    the tables, version by version
command   tagsight uplink receive
"""
