"""The boutique: a staged shop in three films whose scene is the truth that the run is held against."""
