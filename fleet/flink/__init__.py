"""The engine past one machine: the same models as one Flink SQL job.

script   sources, views and sinks, made from the same columns and model files
guard    what a plan must not have: a rank that is planned as insert-only counts corrections twice
"""
