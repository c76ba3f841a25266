"""Persons in frames: detection, tracking on the floor, drawing.

batching      which camera's frame is looked at next
track         from boxes to people with ids and places on the floor
pipeline      reading, detecting and tracking one camera's pictures, overlapped
onlooker      how people look and whether they handle goods, where that is wanted
records       what the store process is told
tracklog      tracks written with a fixed delay (MOT Challenge text)
draw          people, gates, zones, racks and flips drawn into the picture
pen           strokes, tinted areas, words on plates, ticks and crosses
"""
