"""The default engine: one SQLite file that holds every layer.

schema      its tables and views
partitions  which stores' days are stale, and making them anew
retention   what is known of single visitors goes after some days
replica     a copy that answers where the warehouse cannot
feeding     sources read from where they were left
warehouse   taking in lines: the highest revision of each fact, all layers, progress, in one transaction
"""
