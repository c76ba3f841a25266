"""What people do in the shop, from where they stand and which tags move. Pure: time is an argument.

    floorplan    entrances, zones, fixtures, antennas in floor metres
    ordering     records of all cameras and readers into one timeline
    identity     tracks of several cameras into walkers: one person is one walker
    paths        where each walker was in the last minute
    visits       anonymous visitor ids that change at local midnight
    entrances    crossings of an entrance line, with direction
    zones        entering, leaving and dwelling
    flow         from zone to zone
    heatmap      person-seconds per grid cell and zone
    coverage     what the cameras could not see
    matching     which walker turned which tag
    tryon        tags in fitting rooms
    behaviour    all of it behind five inputs and one output: facts

`facts` are what the room says; nothing else of it is meant for other rooms.
"""
