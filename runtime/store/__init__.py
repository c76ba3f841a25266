"""What people do in the shop, from where they stand and which tags move. Pure: time is an argument.

floorplan   entrances, zones, fixtures, antennas in floor metres
behaviour   everything below behind a few inputs and one output: facts (`contract.facts`)
ordering    records of all cameras and readers into one timeline
people      tracks into persons and visitors
counts      footfall, visits, dwell, flow, heatmap, with their quality
garments    flips and presences into interactions and try-ons

Nothing of it is meant for other packages but `Behaviour` and `FloorPlan`.
"""
