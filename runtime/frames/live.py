"""Cameras that are read as their pictures come: a network stream, a USB camera."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path

import cv2

from runtime.clock import HostClock
from runtime.frames import decoder, rtsp
from runtime.frames.ring import Image, PixelFormat
from runtime.frames.sources import Grab, SourceFault, SourceState
from runtime.frames.timing import JUMP_S, SourceClock
from runtime.frames.uri import SourceUri

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 5.0
PARAMETERS_EVERY_S = 15.0
"""How often a stream's description is asked for again: it tells of a new picture size."""
ASK_TIMEOUT_S = 1.0
MAX_SPOILED = 25
"""Spoiled pictures in a row after which a stream is opened anew."""
STALE_S = JUMP_S
"""A frame that is this old when it can be read is part of a backlog: skip to the present.

Not less than the jump after which the source's clock is followed, or a stream could stay stale for good.
"""

_FFMPEG_OPTIONS = "rtsp_transport;tcp|allowed_media_types;video|analyzeduration;1500000"


class StreamSource:
    """Pictures of a network camera, over TCP (RTSP interleaved)."""

    waits = False
    truncated = False
    pixel_format = PixelFormat.BGR

    def __init__(
        self, where: SourceUri, clock: HostClock, parameters_every_s: float = PARAMETERS_EVERY_S
    ) -> None:
        """Ask the server, then connect the decoder. Raises SourceFault."""
        self.label = where.label
        self.remark = ""
        self.stale = 0
        self.spoiled = 0
        self._where = where
        self._clock = clock
        self._source_clock = SourceClock()
        self._number = 0
        self._parameters_every_s = parameters_every_s
        with rtsp.described(where.target, OPEN_TIMEOUT_S) as description:
            self._parameters = rtsp.parameters(description)
            self._asked_s = clock.now()
            self._capture = _open_stream(where)
        self.size = decoder.size_of(self._capture)
        self.fps = decoder.fps_of(self._capture)

    def grab(self) -> Grab:
        """Wait for the next picture. Raises SourceFault where none comes or their size has changed."""
        while True:
            spoiled = decoder.grab_past_errors(self._capture, MAX_SPOILED)
            if spoiled is None:
                raise SourceFault(SourceState.CONNECTING, f"{self.label}: the stream broke off")
            self.spoiled += spoiled
            arrived_s = self._clock.now()
            stamp_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3
            time_s = self._source_clock.host_time(stamp_s, arrived_s)
            self._number += 1
            if arrived_s - time_s <= STALE_S:
                break
            self.stale += 1
        if arrived_s - self._asked_s > self._parameters_every_s:
            self._asked_s = arrived_s
            self._check_parameters()
        return Grab(time_s, arrived_s, self._number - 1)

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last."""
        return decoder.retrieve(self._capture, into)

    def close(self) -> None:
        """Hang up."""
        self._capture.release()

    def _check_parameters(self) -> None:
        """The decoder goes on with the size it began with and stretches other pictures to it: begin anew."""
        try:
            with rtsp.described(self._where.target, ASK_TIMEOUT_S) as description:
                now = rtsp.parameters(description)
        except SourceFault:
            # The pictures still come: a camera that does not want to be asked beside them is left alone.
            self._parameters_every_s = math.inf
            return
        if now != self._parameters:
            raise SourceFault(
                SourceState.RESOLUTION_CHANGED,
                f"{self.label}: the camera has changed its stream; opening it anew",
            )


class DeviceSource:
    """Pictures of a USB camera (Video4Linux)."""

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
        self.size = decoder.size_of(self._capture)
        self.fps = decoder.fps_of(self._capture)

    def grab(self) -> Grab:
        """Wait for the next picture. Raises SourceFault where none comes."""
        spoiled = decoder.grab_past_errors(self._capture, MAX_SPOILED)
        if spoiled is None:
            raise SourceFault(SourceState.CONNECTING, f"{self.label}: the device gives no more pictures")
        self.spoiled += spoiled
        self._number += 1
        arrived_s = self._clock.now()
        return Grab(arrived_s, arrived_s, self._number - 1)

    def retrieve(self, into: Image | None = None) -> Image | None:
        """The pixels of the picture that was grabbed last."""
        return decoder.retrieve(self._capture, into)

    def close(self) -> None:
        """Let go of the device."""
        self._capture.release()


def _open_stream(where: SourceUri) -> cv2.VideoCapture:
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _FFMPEG_OPTIONS
    capture = cv2.VideoCapture(
        where.target,
        cv2.CAP_FFMPEG,
        [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            int(OPEN_TIMEOUT_S * 1e3),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            int(READ_TIMEOUT_S * 1e3),
            cv2.CAP_PROP_N_THREADS,
            1,
        ],
    )
    if not capture.isOpened():
        capture.release()
        raise SourceFault(
            SourceState.CONNECTING, f"{where.label}: the stream cannot be opened; is it H.264 or H.265?"
        )
    return capture
