"""A network camera decoded by the board's video engine (Jetson), through GStreamer, as NV12.

The stream's description is asked for first, as for any other stream (`runtime.frames.live.rtsp`), so that a
wrong password or path is told from nobody at home; then GStreamer connects over TCP.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runtime.clock import HostClock
from runtime.frames.hardware.gstreamer import Pipeline, has_element
from runtime.frames.live import refusals, rtsp, sdp
from runtime.frames.live.relay import Relay
from runtime.frames.live.source_clock import SourceClock
from runtime.frames.ring.buffer import Image, PixelFormat
from runtime.frames.sources import Grab, SourceFault, SourceState, Transport
from runtime.frames.timing import STALE_S
from runtime.frames.uri import SourceUri

CAPTURE = "TAGSIGHT_CAPTURE"
"""Environment: `ffmpeg` or `gstreamer` settles what decodes network cameras; else it is chosen.

`nvmm` takes pictures from the video engine's own memory, which has never been run
(`runtime.frames.hardware.nvmm`)."""
JETSON = Path("/etc/nv_tegra_release")
DECODER = "nvv4l2decoder"
FIRST_PICTURE_S = 10.0
NEXT_PICTURE_S = 5.0
ASK_TIMEOUT_S = 5.0
LATENCY_MS = 200
"""For packets that overtake each other; over TCP none does, and a key frame is waited for anyway."""

_CODINGS = ("H264", "H265")
_SURFACES = "video engine, its own memory"
_DECODERS = {
    "video engine": f"{DECODER} ! nvvidconv ! video/x-raw,format=NV12",
    _SURFACES: f"{DECODER} ! video/x-raw(memory:NVMM),format=NV12",
    "processor": "{software} ! videoconvert ! video/x-raw,format=NV12",
}
_SOFTWARE = {
    "h264": {
        "avdec_h264": "avdec_h264",
        # It wants to know the profile before the first picture, which the parser tells on the way from AVC.
        "openh264dec": "video/x-h264,stream-format=avc ! h264parse ! openh264dec",
    },
    "h265": {"avdec_h265": "avdec_h265", "libde265dec": "libde265dec"},
}
"""What decodes on the CPU, of gstreamer1.0-libav or else of gstreamer1.0-plugins-bad, by element."""


class HardwareSource:
    """Pictures of a network camera; only the newest waits.

    On a board without NVIDIA's video engine the CPU decodes, which serves to try this source out.
    """

    scales = False
    waits = False
    truncated = False
    pixel_format = PixelFormat.NV12

    def __init__(self, where: SourceUri, clock: HostClock, transport: Transport = "auto") -> None:
        """Ask the server, then start the pipeline. Raises SourceFault."""
        self.label = where.label
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
            stream.set_property("location", location)
            stream.set_property("latency", LATENCY_MS)
            # Cameras sign their own certificates; FFmpeg does not verify them either.
            stream.set_property("tls-validation-flags", 0)

        with rtsp.described(where.target, where.label, ASK_TIMEOUT_S) as description:
            self._relay = Relay.where_needed(description, where.label, ASK_TIMEOUT_S)
            location = description.uri if self._relay is None else self._relay.uri
            try:
                self._pipeline = self._started(description, transport, address, surfaces=surfaces)
            except BaseException:
                self._end_relay()
                raise
        self.size = self._pipeline.size

    @property
    def remark(self) -> str:
        """What is wrong with the camera's clock; empty if nothing is."""
        return self._source_clock.remark

    def grab(self) -> Grab:
        """Wait for the next picture. Raises SourceFault where none comes or their size has changed."""
        while True:
            stamp_s = self._pipeline.next(NEXT_PICTURE_S)
            arrived_s = self._clock.now()
            time_s = self._source_clock.host_time(stamp_s, arrived_s)
            self._number += 1
            if arrived_s - time_s <= STALE_S:
                return Grab(time_s, arrived_s, self._number - 1)
            self.stale += 1

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last, NV12."""
        return self._pipeline.copy(into)

    def close(self) -> None:
        """Hang up."""
        self._pipeline.close()
        self._end_relay()

    def _end_relay(self) -> None:
        if self._relay is not None:
            self._relay.close()

    def _started(
        self,
        description: rtsp.Description,
        transport: Transport,
        address: Callable[[Any], None],
        *,
        surfaces: bool,
    ) -> Pipeline:
        """The running pipeline, over UDP where the camera refuses TCP. Raises SourceFault."""
        if self._relay is not None and transport == "udp":
            raise refusals.login_over_udp(self.label)
        choice: Transport = "udp" if transport == "udp" else "tcp"
        pipeline = pipeline_for(description.sdp, self.decoder, self.label, choice)
        try:
            return Pipeline(self.label, pipeline, FIRST_PICTURE_S, address, surfaces=surfaces)
        except SourceFault as fault:
            if fault.state is not SourceState.CONNECTING:
                raise
            refusal = rtsp.find_refusal(description.uri, self.label, choice, ASK_TIMEOUT_S)
            if refusal is None:
                raise
            if transport == "auto" and refusal.answer.status == 461 and self._relay is None:
                return self._started(description, "udp", address, surfaces=surfaces)
            raise refusals.refused(self.label, *refusal, choice) from fault


def is_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether network cameras are decoded by GStreamer: as told, or on a Jetson with NVIDIA's plugins."""
    told = environment.get(CAPTURE, "")
    return told in ("gstreamer", "nvmm") or (told != "ffmpeg" and JETSON.exists() and has_element(DECODER))


def software_decoder(codec: str) -> str:
    """What decodes `h264` or `h265` on the CPU; the usual one where none is here."""
    ways = _SOFTWARE[codec]
    return next((way for name, way in ways.items() if has_element(name)), next(iter(ways.values())))


def pipeline_for(description: str, decoder: str, label: str, transport: Transport = "tcp") -> str:
    """The pipeline for a stream with that session description. Raises SourceFault for other codings."""
    found = sdp.pictures(description)
    if found is None or found.coding.upper() not in _CODINGS:
        sent = f" but {found.coding_name}" if found is not None and found.coding else ""
        raise SourceFault(SourceState.UNUSABLE, f"{label}: the stream is neither H.264 nor H.265{sent}")
    codec = found.coding.lower()
    decode = _DECODERS[decoder].format(software=software_decoder(codec))
    return f"rtspsrc name=stream protocols={transport} ! rtp{codec}depay ! {codec}parse ! {decode}"
