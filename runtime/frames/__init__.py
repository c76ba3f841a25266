"""From a stream to frames that every process of the box reads in place.

The ring and who holds what of it::

    ring        the frames of one camera in shared memory: a sealed memfd, a page of header per slot
    slots       who holds which slot: the writer's ledger (pure)
    lending     the two ends of a frame socket: a camera lends slots, a reader gives them back

Where frames come from::

    uri         one URI for any source: file, rtsp, v4l2, csi
    sources     what a source is; read() takes its next picture
    opening     open_source() opens any
    still       one picture of a camera, or of an image file
    files, live, csi    the kinds of source; rtsp asks a network camera what it has
    hardware    a network camera decoded by a Jetson's video engine; gstreamer brings its NV12 into the slot
    nvmm        the same out of the engine's own memory: off by default, never run on one
    capture     the thread that reads a source into the ring, whatever becomes of it

and, pure: `scaling` (pictures larger than the ring), `timing` (which frames, taken when), `watch` (black,
frozen).
"""
