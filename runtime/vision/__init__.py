"""Persons in frames: detection, heads on person crops, tracking on the floor, drawing.

frame           a frame in a ring while it is leased
camera_spec     what has to be known of a camera
analysis        frames of all cameras, from announced to tracked
batching        which cameras' frames go together, and how often each camera gets its turn
delivery        how many frames a camera brings
executors/      where inference runs: CPU or GPU
heads/          networks that say one thing each of a person's crop: appearance, action
crop_inference  the heads on one frame, and their outputs over a track
camera_tracker  one camera's frames, tracker and ids
track/          from boxes to people with ids and places on the floor
load_meter      frames, batches and busy time
overload        whether this machine keeps up, in words
records         what is sent to the store process
pipeline        reading, detecting and tracking one file's frames, overlapped
tracklog        tracks written with a fixed delay (MOT Challenge text)
draw, pen       people, gates, zones, racks and flips drawn into the frame
"""
