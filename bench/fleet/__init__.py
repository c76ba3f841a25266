"""The warehouse: exactness on many seeds, cost per event against plain inserts, kills, slow queries.

command   `tagsight bench fleet`
parts     what is measured, each by itself
sizes     cost an event by the number of shops
takeover  one that stands by goes on where the service dies
flink     a seed through Flink itself, by hand
"""
