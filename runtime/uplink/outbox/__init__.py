"""Events on disk, from the moment they are promised until they are delivered.

writer      the writing end: facts become events, in groups, numbered without a gap
limits      what it may cost and hold, and where it stands
memory      what is numbered and not on disk yet
opening     the same while the file cannot be opened yet
disk        what the writer does to its files
database    the SQLite file: tables, version, notes, and the mark beside it
reader      the reading end
repair      what to do with a damaged file
salvage     what can still be read of it
watch       files that were removed or swapped under the writer
room        the size limit: what goes first
losses      what was dropped, until a gap event has said so
identity    which stream an outbox holds, and who wrote it
succession  how it goes on as a new stream
"""
