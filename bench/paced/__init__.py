"""The daemon on many network cameras, paced in real time: how many of them this machine carries.

cameras    network cameras in a process of their own, which play one film
store      their store.yaml: a plaza for each camera, side by side
tap        notes every record as it reaches the store process
parts      CPU time within the processes, by part of a frame's way
notes      what was noted, frame by frame: delays, frames missed, persons
visits     what a consumer was told: how late, and how many
box        the daemon: CPU time and memory of its processes
rule       when a number of cameras is carried
trial      one number of cameras for a time
"""
