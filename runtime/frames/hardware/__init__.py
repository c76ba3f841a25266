"""Jetson: `csi` (cameras on the board's connector) and `video_engine` (network cameras), both through
`gstreamer`; `nvmm` takes surfaces from the engine's own memory, off by default and never run on one."""
