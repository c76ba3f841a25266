"""Cameras that are read as their frames come.

`streams` holds the sources (RTSP, USB), `motion_jpeg` the one over HTTP; `substream` falls back to a camera's
second stream. `rtsp`, `sdp`, `login` and `relay` are the protocols, and `refusals` says in words why a stream
does not play. `source_clock` and `backlog` (pure) say when a frame was taken.
"""
