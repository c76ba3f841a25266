"""Opens whatever a camera's URI names."""

from __future__ import annotations

from collections.abc import Callable

from runtime.clock import HostClock
from runtime.frames.files.playback import FileSource
from runtime.frames.hardware.csi import CsiSource
from runtime.frames.hardware.video_engine import HardwareSource, is_wanted
from runtime.frames.live.motion_jpeg import MotionJpegSource
from runtime.frames.live.streams import DeviceSource, StreamSource
from runtime.frames.sources import Source, Transport
from runtime.frames.uri import SourceUri, parse_uri
from runtime.frames.video import opencv


def open_source(
    uri: str | SourceUri,
    clock: HostClock | None = None,
    sleep: Callable[[float], None] | None = None,
    transport: Transport = "auto",
) -> Source:
    """Open a source by its URI (see `runtime.frames.uri`).

    `sleep` is how a file paced in real time waits, `transport` how an RTSP camera's pictures come. Raises
    SourceFault where it cannot be opened and FrameError where the URI is wrong.
    """
    opencv.silence()
    where = uri if isinstance(uri, SourceUri) else parse_uri(uri)
    clock = clock or HostClock()
    if where.kind == "file":
        return FileSource(where, clock, sleep)
    if where.kind == "rtsp":
        if is_wanted():
            return HardwareSource(where, clock, transport)
        return StreamSource(where, clock, transport)
    if where.kind == "http":
        return MotionJpegSource(where, clock)
    if where.kind == "v4l2":
        return DeviceSource(where, clock)
    return CsiSource(where, clock)
