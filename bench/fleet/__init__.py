"""The warehouse: exactness on many seeds, cost per event against plain inserts, kills, slow queries.

command   `tagsight bench fleet`
parts     what is measured, each by itself
sizes     cost an event by the number of shops
flink     a seed through Flink itself, by hand
"""
