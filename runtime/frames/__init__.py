"""From a stream to frames that every process of the box reads in place.

::

    ring/       a camera's frames in shared memory, who holds which slot, and lending slots to readers
    capture/    the thread that reads a source into the ring, whatever becomes of it
    video/      FFmpeg (PyAV) and OpenCV: taking streams apart, decoding, writing films
    files/      video files: opening, playing in real time, timestamps, where one breaks off
    live/       network and USB cameras: RTSP, SDP, login, Motion JPEG, substream, the camera's clock
    hardware/   Jetson: CSI cameras, the video engine, GStreamer, NVMM

    uri         one URI for any source: file, rtsp, http, v4l2, csi
    sources     what a source is; read() takes its next frame
    opening     open_source() opens any
    still       one frame of a camera, or of an image file
    timing      which frames to analyse, and how many were too old (pure)
"""
