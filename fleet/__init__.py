"""From many shops' events to answers: a layered warehouse that is exact under corrections.

ingest     events, sales, stock lists and plans become typed rows, with each shop's own local day and hour
models     what is made of them, in plain SQL: one text for every engine
embedded   the engine on one machine: SQLite, partitions of (site, day) rebuilt where something changed
flink      the same models as a job for an engine past one machine
serve      questions by name, SQL over several sources, REST
load       a day of many shops made up, run through, and compared with an independent answer

It imports `contract`, `broker` and `web`, and nothing of the box's software.
"""
