"""Cameras that are read as their pictures come: a network stream, a USB camera."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path

import cv2

from runtime.clock import HostClock
from runtime.frames.live import refusals, rtsp, sdp
from runtime.frames.live.relay import Relay
from runtime.frames.live.source_clock import SourceClock
from runtime.frames.ring.buffer import Image, PixelFormat
from runtime.frames.sources import Grab, SourceFault, SourceState, Transport
from runtime.frames.timing import STALE_S
from runtime.frames.uri import SourceUri
from runtime.frames.video import opencv
from runtime.frames.video.causes import BrokeOff, CannotOpen, Cause
from runtime.frames.video.demux import DecodedFrame, VideoReader

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 5.0
PARAMETERS_EVERY_S = 15.0
"""How often a stream's description is asked for again: it tells of a new picture size."""
ASK_TIMEOUT_S = 1.0
_REFUSED = (Cause.NOT_FOUND, Cause.FORBIDDEN, Cause.OTHER)
MAX_SPOILED = 25
"""Spoiled pictures in a row after which a USB camera is opened anew."""

_FFMPEG_OPTIONS = {"allowed_media_types": "video", "analyzeduration": "1500000"}


class StreamSource:
    """Pictures of a network camera (RTSP), over TCP, or over UDP where it wants that."""

    scales = True
    waits = False
    truncated = False
    pixel_format = PixelFormat.BGR

    def __init__(
        self,
        where: SourceUri,
        clock: HostClock,
        transport: Transport = "auto",
        parameters_every_s: float = PARAMETERS_EVERY_S,
    ) -> None:
        """Ask the server, then connect the decoder. Raises SourceFault."""
        self.label = where.label
        self.stale = 0
        self._where = where
        self._clock = clock
        self._source_clock = SourceClock()
        self._number = 0
        self._picture: DecodedFrame | None = None
        self._parameters_every_s = parameters_every_s
        with rtsp.described(where.target, where.label, OPEN_TIMEOUT_S) as description:
            self._parameters = sdp.parameters(description.sdp)
            self._asked_s = clock.now()
            self._relay = Relay.where_needed(description, where.label, OPEN_TIMEOUT_S)
            try:
                self._video, self.transport = self._played(description, transport)
            except BaseException:
                self._end_relay()
                raise
        self.size = self._video.size
        self.fps = self._video.fps

    @property
    def remark(self) -> str:
        """What is wrong with the camera's clock; empty if nothing is."""
        return self._source_clock.remark

    @property
    def spoiled(self) -> int:
        """Pictures lost so far because they could not be decoded."""
        return self._video.spoiled

    def grab(self) -> Grab:
        """Wait for the next picture. Raises SourceFault where none comes or their size has changed."""
        while True:
            picture = self._picture = self._next()
            arrived_s = self._clock.now()
            time_s = self._source_clock.host_time(picture.stamp_s, arrived_s)
            self._number += 1
            if arrived_s - time_s <= STALE_S:
                break
            self.stale += 1
        if self._video.resized:
            raise self._changed()
        if arrived_s - self._asked_s > self._parameters_every_s:
            self._asked_s = arrived_s
            self._check_parameters()
        return Grab(time_s, arrived_s, self._number - 1)

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last."""
        return None if self._picture is None else self._video.pixels(self._picture, into)

    def close(self) -> None:
        """Hang up."""
        self._picture = None
        self._video.close()
        self._end_relay()

    def _played(self, description: rtsp.Description, transport: Transport) -> tuple[VideoReader, str]:
        """The stream, decoded, and its transport. Raises SourceFault."""
        try:
            return _open_stream(description.uri, self.label, transport, self._relay)
        except _Misled:
            # We were let in a moment ago: the decoder does not log in anew on its way, or asks elsewhere.
            self._relay = Relay.started(description, self.label, OPEN_TIMEOUT_S)
            return _open_stream(description.uri, self.label, transport, self._relay)

    def _end_relay(self) -> None:
        if self._relay is not None:
            self._relay.close()

    def _next(self) -> DecodedFrame:
        self._picture = None  # Its memory serves for the next one.
        try:
            picture = self._video.read()
        except BrokeOff as error:
            raise SourceFault(
                SourceState.CONNECTING, f"{self.label}: the stream broke off ({error})"
            ) from error
        if picture is None:
            raise SourceFault(SourceState.CONNECTING, f"{self.label}: the stream broke off")
        return picture

    def _check_parameters(self) -> None:
        """Some cameras tell of another size in their description only: the decoder would go on as before."""
        try:
            with rtsp.described(self._where.target, self.label, ASK_TIMEOUT_S) as description:
                now = sdp.parameters(description.sdp)
        except SourceFault:
            # The pictures still come: a camera that does not want to be asked beside them is left alone.
            self._parameters_every_s = math.inf
            return
        if now != self._parameters:
            raise self._changed()

    def _changed(self) -> SourceFault:
        return SourceFault(
            SourceState.RESOLUTION_CHANGED,
            f"{self.label}: the camera has changed its stream; opening it anew",
        )


class DeviceSource:
    """Pictures of a USB camera (Video4Linux)."""

    scales = False
    waits = False
    truncated = False
    pixel_format = PixelFormat.BGR

    def __init__(self, where: SourceUri, clock: HostClock) -> None:
        """Open the device. Raises SourceFault."""
        self.label = where.label
        self.remark = ""
        self.stale = 0
        self.spoiled = 0
        self._clock = clock
        self._number = 0
        device = Path(where.target)
        if not device.exists() or not stat.S_ISCHR(device.stat().st_mode):
            raise SourceFault(
                SourceState.NO_SUCH_FILE, f"{self.label}: there is no such device; is it plugged in?"
            )
        if not os.access(device, os.R_OK | os.W_OK):
            raise SourceFault(
                SourceState.UNUSABLE, f"{self.label}: no right to use it; the user must be in the group video"
            )
        self._capture = cv2.VideoCapture(where.target, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceFault(
                SourceState.CONNECTING, f"{self.label}: the device gives no pictures; is it in use?"
            )
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        self.size = opencv.size_of(self._capture)
        self.fps = opencv.fps_of(self._capture)

    def grab(self) -> Grab:
        """Wait for the next picture. Raises SourceFault where none comes."""
        spoiled = opencv.grab_past_errors(self._capture, MAX_SPOILED)
        if spoiled is None:
            raise SourceFault(SourceState.CONNECTING, f"{self.label}: the device gives no more pictures")
        self.spoiled += spoiled
        self._number += 1
        arrived_s = self._clock.now()
        return Grab(arrived_s, arrived_s, self._number - 1)

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last."""
        return opencv.retrieve(self._capture, into)

    def close(self) -> None:
        """Let go of the device."""
        self._capture.release()


class _Misled(Exception):
    """The camera refuses the decoder what it grants us."""


def _open_stream(uri: str, label: str, transport: Transport, relay: Relay | None) -> tuple[VideoReader, str]:
    """The stream, decoded, and the transport it comes over. Raises SourceFault or _Misled."""
    if relay is not None and transport == "udp":
        raise refusals.login_over_udp(label)
    choices = ("tcp", "udp") if transport == "auto" else (transport,)
    played, choices = (uri, choices) if relay is None else (relay.uri, ("tcp",))
    fault: SourceFault | None = None
    for choice in choices:
        options = {**_FFMPEG_OPTIONS, "rtsp_transport": choice}
        try:
            return VideoReader(played, options, (OPEN_TIMEOUT_S, READ_TIMEOUT_S)), choice
        except CannotOpen as error:
            if error.cause is Cause.LOGIN and relay is None:
                raise _Misled from error
            refusal = rtsp.find_refusal(uri, label, choice, OPEN_TIMEOUT_S)
            if refusal is None and choice == "tcp" and relay is None and error.cause in _REFUSED:
                raise _Misled from error
            wrong = refusals.not_played(label, choice, refusal, error.cause is Cause.CODING, str(error))
            fault = fault or wrong
            if error.cause is Cause.CODING:
                break
    assert fault is not None
    raise fault
