"""From a stream to frames that every process of the box reads in place.

ring        the frames of one camera in shared memory: a sealed memfd, a page of header per slot
slots       who holds which slot: the writer's ledger, pure
lending     the two ends of a frame socket: the camera lends slots, a reader gives them back
uri         one URI for any source, its options, its password
sources     what a source is; open_source() picks one of file, rtsp, v4l2, csi
capture     a thread that keeps the newest frame at hand while a read may block
watch       is the picture black or frozen? (pure)
backoff     when to try again (pure)
"""
