"""The daemon: pixels and tag reads in, facts about the shop out.

Data walks one way through the rooms of this package, each importing only rooms nearer the ground::

    frames      sources (file, RTSP, USB, CSI) into a shared ring of frames, one per camera
    vision      persons in those frames: detection, tracking on the floor
    store       what they did: entrances, zones, visits, tag x person matching (pure functions of time)
    uplink      events, the durable outbox, MQTT

`processes` wires the rooms into one process each, `supervisor` starts and watches them,
`commands` and `cli` are the `tagsight` command, `demo` is the plaza store.
"""
