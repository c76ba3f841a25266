"""What people do in the shop, from where they stand and which tags move. Pure: time is an argument.

floorplan     entrances, zones, fixtures, antennas in floor metres
behaviour     everything below behind a few inputs and one output: facts (`contract.facts`)
ordering      records of all cameras and readers into one timeline
identity      tracks of several cameras into walkers: one person is one walker
sameness      how likely a new track is a walker who was seen before
meetings      people who pass each other and are taken for one another
motion        the last seconds of one walker
paths         where each walker was in the last minute
visits        anonymous visitor ids that change at local midnight
entrances     crossings of an entrance line, with direction
footfall      crossings into counts per interval
zones         entering, leaving and dwelling
flow          from zone to zone
heatmap       person-seconds per grid cell and zone
intervals     when an interval is over
coverage      what the cameras could not see
matching      which walker turned which tag
interactions  flips that wait to be matched
tryon         tags in fitting rooms
"""
