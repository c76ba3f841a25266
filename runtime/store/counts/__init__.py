"""What is counted, each with how well the cameras saw it.

entrances   crossings of an entrance line, with direction
passages    what a crossing is, and how one is told from a track that begins or ends at the line
footfall    crossings into counts per interval
visits      crossings into visitors who come and go
zones       entering, leaving and dwelling
flow        from zone to zone
heatmap     person-seconds per grid cell and zone
intervals   when an interval is over
coverage    what the cameras could not see
quality     what coverage makes of a count: good, degraded or blind
"""
