"""The default engine: one SQLite file that holds every layer.

schema      its tables and views
partitions  which stores' days are stale, and making them anew
warehouse   taking in lines: the highest revision of each fact, all layers, progress, in one transaction
"""
