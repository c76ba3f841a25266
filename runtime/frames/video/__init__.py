"""Coded video: `container` and `demux` (FFmpeg through PyAV), `tail` (is the last frame all there), `pixels`
(frames as arrays), `opencv` (what OpenCV decodes), `writer` (films that browsers play), `causes` (why video
cannot be read, as far as FFmpeg says)."""
