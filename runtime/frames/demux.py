"""Coded video taken apart and decoded by FFmpeg (PyAV): files and network streams alike.

`Video` opens an address and gives its pictures, each with the stamp that the container or the stream gave.
Interlaced pictures are deinterlaced, turned ones are turned upright. What cannot be opened or decoded is
named: `CannotOpen` says which of the causes it was, and which coding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple, cast

import av
import av.error
import av.logging
from av.container import InputContainer
from av.format import Flags as FormatFlags
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from runtime.frames.errors import FrameError
from runtime.frames.pixels import Deinterlacer, Pixels
from runtime.frames.ring import Image

CODINGS = {
    "h264": "H.264",
    "hevc": "H.265",
    "vvc": "H.266",
    "av1": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "mjpeg": "Motion JPEG",
    "mpeg4": "MPEG-4 part 2",
    "mpeg2video": "MPEG-2",
    "mpeg1video": "MPEG-1",
}
"""What people call a coding, by FFmpeg's name for it."""

MAX_UNREADABLE = 100
"""Places in a row that cannot be taken apart, after which a source is given up."""
FIRST_WITHIN = 1000
"""Packets within which a first picture must come."""


class Cause(Enum):
    """Why an address cannot be opened, in the words of an error."""

    LOGIN = "the login is refused"
    FORBIDDEN = "access is forbidden"
    NOT_FOUND = "there is no such stream"
    REFUSED = "nobody listens there"
    NO_ANSWER = "there is no answer"
    NOT_A_VIDEO = "it is not a video"
    NO_PICTURES = "it holds no pictures"
    CODING = "its pictures cannot be decoded"
    OTHER = "it cannot be opened"


_NO_STAMPS = cast(int, FormatFlags.no_timestamps.value)

_CAUSES: tuple[tuple[tuple[type[Exception], ...], Cause], ...] = (
    ((av.error.HTTPUnauthorizedError,), Cause.LOGIN),
    ((av.error.HTTPForbiddenError, av.error.PermissionError), Cause.FORBIDDEN),
    ((av.error.HTTPNotFoundError, av.error.FileNotFoundError), Cause.NOT_FOUND),
    ((av.error.ConnectionRefusedError,), Cause.REFUSED),
    ((av.error.TimeoutError, av.error.ExitError), Cause.NO_ANSWER),
    ((av.error.InvalidDataError, av.error.EOFError), Cause.NOT_A_VIDEO),
)


class CannotOpen(FrameError):
    """An address cannot be opened. The sentence names the cause and the coding, never the address."""

    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(f"{cause.value}{f' ({detail})' if detail else ''}")
        self.cause = cause


class BrokeOff(FrameError):
    """No more can be read, though the source had not said that it ends."""


class Picture(NamedTuple):
    """A decoded picture, and when it was taken by the clock of whoever made the video."""

    frame: VideoFrame
    stamp_s: float | None
    """None where the container or the stream gave none."""
    damaged: bool
    """Part of it could not be decoded."""


class Video:
    """The pictures of one address, in the order they are shown. Used by one thread."""

    def __init__(
        self,
        target: str | Path,
        options: Mapping[str, str] | None = None,
        timeouts_s: tuple[float, float] | None = None,
        *,
        low_delay: bool = False,
    ) -> None:
        """Open it and decode the first picture. Raises CannotOpen.

        `options` are FFmpeg's for its demuxers and protocols, `timeouts_s` are for opening and for each read;
        with `low_delay` pictures come as soon as they can be shown.
        """
        self.spoiled = 0
        """Packets so far of which no picture could be made."""
        self.interlaced = False
        """Whether interlaced pictures have come."""
        self._container = _open(target, options, timeouts_s)
        try:
            self._stream = _pictures_of(self._container)
            context = self._stream.codec_context
            context.thread_count = 1
            if low_delay:
                context.flags |= av.codec.context.Flags.low_delay
            self.container = self._container.format.name
            self.coding = CODINGS.get(context.codec.canonical_name, context.codec.long_name)
            self.fps = _rate(self._stream)
            self.has_stamps = not self._container.format.flags & _NO_STAMPS
            self._pixels = Pixels()
            self._deinterlacer: Deinterlacer | None = None
            self._ready: deque[Picture] = deque()
            self._through = False
            self._packets = self._container.demux(self._stream)
            self._first()
        except BaseException:
            self._container.close()
            raise

    @property
    def duration_s(self) -> float | None:
        """How long the container says that it is, exactly or by estimate; None if it says nothing."""
        duration = self._stream.duration
        if duration is not None and duration > 0 and self._stream.time_base:
            return float(duration * self._stream.time_base)
        duration = self._container.duration
        return duration / av.time_base if duration is not None and duration > 0 else None

    def read(self) -> Picture | None:
        """The next picture, None at the end. Raises BrokeOff."""
        while not self._ready:
            if self._through:
                return None
            self._decode(self._next_packet())
        return self._ready.popleft()

    def size_of(self, picture: Picture) -> tuple[int, int]:
        """Width and height of that picture, which may have become others than `size`."""
        return self._pixels.upright_size(picture.frame)

    def pixels(self, picture: Picture, into: Image | None = None) -> Image:
        """The picture as BGR, (height, width, 3), upright and of `size`; in `into` where that fits."""
        return self._pixels.bgr(picture.frame, self.size, into)

    def seek(self, stamp_s: float) -> None:
        """Go on at the last key picture at or before that stamp. Raises BrokeOff."""
        assert self._stream.time_base is not None
        try:
            self._container.seek(round(stamp_s / float(self._stream.time_base)), stream=self._stream)
        except av.error.FFmpegError as error:
            raise BrokeOff(_reason(error)) from error
        self._ready.clear()
        self._deinterlacer = None
        self._through = False
        self._packets = self._container.demux(self._stream)

    def close(self) -> None:
        """Let go of it."""
        self._ready.clear()
        self._container.close()

    def _first(self) -> None:
        for _ in range(FIRST_WITHIN):
            if self._ready or self._through:
                break
            try:
                self._decode(self._next_packet())
            except BrokeOff as error:
                raise CannotOpen(Cause.NO_ANSWER, str(error)) from error
        if not self._ready:
            raise CannotOpen(
                Cause.CODING, f"{self.coding}: no picture could be made of {self.spoiled} packets"
            )
        self.size = self._pixels.upright_size(self._ready[0].frame)
        """Width and height of the pictures, in pixels, after turning."""

    def _next_packet(self) -> Packet[VideoStream] | None:
        """The next packet, None at the end. Raises BrokeOff."""
        for _ in range(MAX_UNREADABLE):
            try:
                packet = next(self._packets, None)
            except av.error.InvalidDataError:
                self.spoiled += 1
                self._packets = self._container.demux(self._stream)
                continue
            except av.error.FFmpegError as error:
                self._through = True
                raise BrokeOff(_reason(error)) from error
            # An empty packet says that the picture before it stays; the one without a time is PyAV's end.
            if packet is None or packet.size or packet.dts is None:
                return packet if packet is not None and packet.size else None
        self._through = True
        raise BrokeOff("it cannot be taken apart any more")

    def _decode(self, packet: Packet[VideoStream] | None) -> None:
        context = self._stream.codec_context
        try:
            for frame in context.decode(packet):
                self._show(frame)
        except (av.error.FFmpegError, ValueError):
            self.spoiled += packet is not None
        if packet is None:
            self._through = True
            if self._deinterlacer is not None:
                self._ready.extend(_picture(frame) for frame in self._deinterlacer.push(None))

    def _show(self, frame: VideoFrame) -> None:
        if not frame.time_base:
            frame.time_base = self._stream.time_base
        if self.container == "avi" and frame.dts is not None:
            # AVI has no time of showing, only a place in the order of decoding.
            frame.pts = frame.dts
        if frame.interlaced_frame:
            self.interlaced = True
            if self._deinterlacer is None:
                self._deinterlacer = Deinterlacer()
        frames: Iterator[VideoFrame] | list[VideoFrame] = [frame]
        if self._deinterlacer is not None:
            frames = self._deinterlacer.push(frame)
        self._ready.extend(_picture(each) for each in frames)


def silence() -> None:
    """Keep FFmpeg from printing: its messages may quote an address with its password."""
    av.logging.set_level(None)


def _picture(frame: VideoFrame) -> Picture:
    return Picture(frame, frame.time, frame.is_corrupt)


def _open(
    target: str | Path, options: Mapping[str, str] | None, timeouts_s: tuple[float, float] | None
) -> InputContainer:
    silence()
    try:
        return av.open(str(target), "r", options=dict(options or {}), timeout=timeouts_s)
    except av.error.FFmpegError as error:
        raise CannotOpen(_cause(error), _reason(error)) from error
    except (OSError, ValueError) as error:
        raise CannotOpen(Cause.OTHER, str(error)) from error


def _pictures_of(container: InputContainer) -> VideoStream:
    """The stream of pictures. Raises CannotOpen where there is none or no decoder for it."""
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        raise CannotOpen(Cause.NO_PICTURES, "only sound" if container.streams.audio else "")
    if streams[0].codec_context is None:
        raise CannotOpen(Cause.CODING, "a coding that is not known here")
    return streams[0]


def _is_cover(stream: VideoStream) -> bool:
    """Whether it is a still picture beside sound."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _rate(stream: VideoStream) -> float:
    """Pictures a second as the container tells; 0 where it tells nothing believable."""
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate and 0.1 <= float(rate) <= 1000.0:
            return float(rate)
    return 0.0


def _cause(error: av.error.FFmpegError) -> Cause:
    return next((cause for kinds, cause in _CAUSES if isinstance(error, kinds)), Cause.OTHER)


def _reason(error: av.error.FFmpegError) -> str:
    """FFmpeg's words; the whole text of the error quotes the address, password and all."""
    return (error.strerror or type(error).__name__).lower()
