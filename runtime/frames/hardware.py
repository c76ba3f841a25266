"""A network camera decoded by the board's video engine (Jetson), through GStreamer, as NV12.

The stream's description is asked for first, as for any other stream (`runtime.frames.rtsp`), so that a wrong
password or path is told from nobody at home; then GStreamer connects over TCP.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.clock import HostClock
from runtime.frames import rtsp
from runtime.frames.gstreamer import Pipeline, has_element
from runtime.frames.ring import Image, PixelFormat
from runtime.frames.sources import Grab, SourceFault, SourceState
from runtime.frames.timing import SourceClock
from runtime.frames.uri import SourceUri

CAPTURE = "TAGSIGHT_CAPTURE"
"""Environment: `ffmpeg` or `gstreamer` settles what decodes network cameras; else it is chosen.

`nvmm` takes pictures from the video engine's own memory, which has never been run (`runtime.frames.nvmm`)."""
JETSON = Path("/etc/nv_tegra_release")
DECODER = "nvv4l2decoder"
FIRST_PICTURE_S = 10.0
NEXT_PICTURE_S = 5.0
ASK_TIMEOUT_S = 5.0
LATENCY_MS = 200
"""For packets that overtake each other; over TCP none does, and a key frame is waited for anyway."""

_ENCODING = re.compile(r"^a=rtpmap:\d+ (H26[45])/90000", re.MULTILINE | re.IGNORECASE)
_SURFACES = "video engine, its own memory"
_DECODERS = {
    "video engine": f"{DECODER} ! nvvidconv ! video/x-raw,format=NV12",
    _SURFACES: f"{DECODER} ! video/x-raw(memory:NVMM),format=NV12",
    "processor": "avdec_{codec} ! videoconvert ! video/x-raw,format=NV12",
}


class HardwareSource:
    """Pictures of a network camera; only the newest waits.

    On a board without NVIDIA's video engine the processor decodes, which serves to try this source out.
    """

    waits = False
    truncated = False
    pixel_format = PixelFormat.NV12

    def __init__(self, where: SourceUri, clock: HostClock) -> None:
        """Ask the server, then start the pipeline. Raises SourceFault."""
        self.label = where.label
        self.remark = ""
        self.stale = 0
        self.spoiled = 0
        self.fps = 0.0
        self._clock = clock
        self._source_clock = SourceClock()
        self._number = 0
        self.decoder = "video engine" if has_element(DECODER) else "processor"
        if os.environ.get(CAPTURE) == "nvmm":
            self.decoder = _SURFACES
        surfaces = self.decoder == _SURFACES

        def address(pipeline: Any) -> None:
            stream = pipeline.get_by_name("stream")
            stream.set_property("location", where.target)
            stream.set_property("latency", LATENCY_MS)
            # Cameras sign their own certificates; FFmpeg does not verify them either.
            stream.set_property("tls-validation-flags", 0)

        with rtsp.described(where.target, ASK_TIMEOUT_S) as description:
            pipeline = pipeline_for(description, self.decoder, where.label)
            self._pipeline = Pipeline(where.label, pipeline, FIRST_PICTURE_S, address, surfaces=surfaces)
        self.size = self._pipeline.size

    def grab(self) -> Grab:
        """Wait for the next picture. Raises SourceFault where none comes or their size has changed."""
        stamp_s = self._pipeline.next(NEXT_PICTURE_S)
        arrived_s = self._clock.now()
        time_s = arrived_s if stamp_s is None else self._source_clock.host_time(stamp_s, arrived_s)
        self._number += 1
        return Grab(time_s, arrived_s, self._number - 1)

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last, NV12."""
        return self._pipeline.copy(into)

    def close(self) -> None:
        """Hang up."""
        self._pipeline.close()


def is_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether network cameras are decoded by GStreamer: as told, or on a Jetson with NVIDIA's plugins."""
    told = environment.get(CAPTURE, "")
    return told in ("gstreamer", "nvmm") or (told != "ffmpeg" and JETSON.exists() and has_element(DECODER))


def pipeline_for(description: str, decoder: str, label: str) -> str:
    """The pipeline for a stream with that session description. Raises SourceFault for other codings."""
    found = _ENCODING.search(description)
    if found is None:
        raise SourceFault(SourceState.UNUSABLE, f"{label}: the stream is neither H.264 nor H.265")
    codec = found[1].lower()
    decode = _DECODERS[decoder].format(codec=codec)
    return f"rtspsrc name=stream protocols=tcp ! rtp{codec}depay ! {codec}parse ! {decode}"
