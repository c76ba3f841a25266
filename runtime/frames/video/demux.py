"""Coded video taken apart and decoded by FFmpeg (PyAV): files and network streams alike.

`VideoReader` opens an address and gives its pictures, each with the stamp that container or stream gave.
Interlaced pictures are deinterlaced, turned ones are turned upright. What cannot be opened or decoded is
named: `CannotOpen` says which of the causes it was, and which coding.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import av
import av.error
from av.format import Flags as FormatFlags
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from runtime.frames.ring.buffer import Image
from runtime.frames.video.causes import BrokeOff, CannotOpen, Cause, reason_of
from runtime.frames.video.container import duration_of, is_cover, open_container, pictures_of, rate_of
from runtime.frames.video.pixels import Deinterlacer, Pixels
from runtime.frames.video.tail import Tail

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
FIRST_WITHIN, FIRST_WITHIN_EACH_WHOLE = 1000, 25
"""Packets within which a first picture must come; and of a coding whose pictures do not refer to others."""
FIRST_WITHIN_S = 60.0
"""Seconds within which it must come of what is read as it comes: some cameras send a key picture a minute."""


_NO_STAMPS = cast(int, FormatFlags.no_timestamps.value)


class DecodedFrame(NamedTuple):
    """A decoded picture, and when it was taken by the clock of whoever made the video."""

    frame: VideoFrame
    stamp_s: float | None
    """None where the container or the stream gave none."""


class VideoReader:
    """The pictures of one address, in the order they are shown. Used by one thread."""

    def __init__(
        self,
        target: str | Path,
        options: Mapping[str, str] | None = None,
        timeouts_s: tuple[float, float] | None = None,
        *,
        low_delay: bool = False,
        ahead: int = 0,
    ) -> None:
        """Open it and decode the first picture. Raises CannotOpen.

        `options` are FFmpeg's for its demuxers and protocols, `timeouts_s` are for opening and for each read;
        with `low_delay` pictures come as soon as they can be shown. `ahead` packets are read before they are
        wanted, so that `following` can tell of them.
        """
        self.spoiled = 0
        """Packets so far of which no picture could be made."""
        self.damaged = 0
        """Packets so far that are not as they were made, or whose picture is not."""
        self.interlaced = False
        """Whether interlaced pictures have come."""
        self.resized = False
        """Whether pictures of another size than the first have come."""
        self.second_fps = 0.0
        """Another rate that the container tells; 0 where it does not."""
        self.last_byte = 0
        """Where the newest packet begins, in bytes from the start; 0 where that is not known."""
        self._target, self._options = target, options
        self._container = open_container(target, options, timeouts_s)
        try:
            self._stream = pictures_of(self._container)
            context = self._stream.codec_context
            context.thread_count = 1
            if low_delay:
                context.flags |= av.codec.context.Flags.low_delay
            self.container = self._container.format.name
            self.tracks = sum(not is_cover(stream) for stream in self._container.streams.video)
            """How many tracks of pictures there are; the largest is read."""
            self.coding = CODINGS.get(context.codec.canonical_name, context.codec.long_name)
            self.fps = rate_of(self._stream)
            self.has_stamps = not self._container.format.flags & _NO_STAMPS
            self.duration_s = duration_of(self._container, self._stream)
            """How long the container says that it is, exactly or by estimate; None if it says nothing."""
            self.declared = self._declared()
            """How many pictures the container holds, hidden ones included; 0 where it does not say."""
            self._tick_s = float(self._stream.time_base or 0)
            self._pixels = Pixels()
            self._frame_size: tuple[int, int] | None = None
            self._deinterlacer: Deinterlacer | None = None
            self._ready: deque[DecodedFrame] = deque()
            self._through = False
            self._packets = self._container.demux(self._stream)
            self._ahead = ahead
            self._waiting: deque[Packet[VideoStream] | BrokeOff] = deque()
            self._last_damaged = self._last_short = self._broke_off = False
            self._tail = Tail(self.container, context.codec.canonical_name)
            # AVI has no time of showing, only a place in the order of decoding.
            self._stamped_by_order = self.container == "avi"
            self._first(time.monotonic() + FIRST_WITHIN_S if timeouts_s else math.inf)
        except BaseException:
            self._container.close()
            raise

    def exact_length_s(self) -> float:
        """How long it takes to show all pictures once: from an index, or by looking at every packet."""
        duration_s = self.duration_s
        if duration_s is not None and self.container.split(",")[0] in ("mov", "avi"):
            return duration_s
        count, stamps = 0, []
        with open_container(self._target, self._options, None) as container:
            stream = pictures_of(container)
            for packet in container.demux(stream):
                count += packet.size > 0
                if packet.pts is not None and packet.size:
                    stamps.append(packet.pts)
            interval_s = 1.0 / (self.fps or 25.0)
            if not stamps:
                return count * interval_s
            return float((max(stamps) - min(stamps)) * float(stream.time_base or 0) + interval_s)

    def believe_rate(self, fps: float) -> None:
        """Count time by that rate: of a container that has nothing else, and tells a wrong one."""
        self.fps, self._tick_s = fps, 1.0 / fps
        self.duration_s = self._stream.frames / fps or None

    def key_before(self, stamp_s: float) -> float | None:
        """The stamp of the last key picture at or before that stamp, by the index; None where it has none."""
        entries, base = self._stream.index_entries, self._tick_s
        if not len(entries) or not base or not self.has_stamps:
            return None
        found = entries.search_timestamp(round(stamp_s / base))
        return float(entries[found].timestamp * base) if found >= 0 else None

    def read(self) -> DecodedFrame | None:
        """The next picture, None at the end. Raises BrokeOff."""
        ready = self._ready
        while not ready:
            if self._through:
                return None
            self._decode(self._next_packet())
        return ready.popleft()

    def following(self) -> list[float]:
        """The stamps of the pictures in the packets read ahead, in the order of decoding."""
        packets = (packet for packet in self._waiting if not isinstance(packet, BrokeOff) and packet.size)
        ticks = (packet.dts if self._stamped_by_order else packet.pts for packet in packets)
        return [tick * self._tick_s for tick in ticks if tick is not None]

    @property
    def index_end(self) -> int:
        """The byte at which the last pictures end by the container's index; 0 where it has none."""
        entries = self._stream.index_entries
        count = len(entries)
        return max((entries[k].pos + entries[k].size for k in range(max(0, count - 64), count)), default=0)

    @property
    def last_is_short(self) -> bool:
        """Whether the last packet lacks bytes, or reading broke off."""
        return self._broke_off or self._last_short

    @property
    def last_is_damaged(self) -> bool:
        """Whether the last picture is not as it was made."""
        return self._last_damaged or self._tail.is_cut(self._stream.codec_context)

    def pixels(self, picture: DecodedFrame, into: Image | None = None) -> Image:
        """The picture as BGR, (height, width, 3), upright and of `size`; in `into`, of its size, if given."""
        return self._pixels.bgr(picture.frame, self.size, into)

    def seek(self, stamp_s: float) -> None:
        """Go on at the last key picture at or before that stamp. Raises BrokeOff."""
        try:
            self._container.seek(round(stamp_s / self._tick_s), stream=self._stream)
        except av.error.FFmpegError as error:
            raise BrokeOff(reason_of(error)) from error
        self._ready.clear()
        self._deinterlacer = None
        self._waiting.clear()
        self._through = False
        self._packets = self._container.demux(self._stream)

    def close(self) -> None:
        """Let go of it, and of the decoder with the pictures it keeps."""
        self._ready.clear()
        self._waiting.clear()
        self._packets, self._deinterlacer = iter(()), None
        self._container.close()
        self.__dict__.pop("_stream", None)

    def _declared(self) -> int:
        # Some write AVI headers with another rate than the pictures have, and count by it.
        rate = self._stream.average_rate
        if self.container == "avi" and (not rate or abs(float(rate) - self.fps) > 0.01 * self.fps):
            return 0
        return self._stream.frames

    def _first(self, until_s: float) -> None:
        each_whole = self._stream.codec_context.codec.intra_only
        for _ in range(FIRST_WITHIN_EACH_WHOLE if each_whole else FIRST_WITHIN):
            if self._ready or self._through or time.monotonic() > until_s:
                break
            try:
                self._decode(self._next_packet())
            except BrokeOff as error:
                raise CannotOpen(Cause.NO_ANSWER, str(error)) from error
        if not self._ready or self._frame_size is None:
            raise CannotOpen(
                Cause.CODING, f"{self.coding}: no picture could be made of {self.spoiled} packets"
            )
        self.size = self._pixels.upright_size(self._ready[0].frame, self._frame_size)
        """Width and height of the pictures, in pixels, after turning."""

    def _next_packet(self) -> Packet[VideoStream]:
        """The next packet; an empty one at the end. Raises BrokeOff."""
        if not self._ahead:
            try:
                return self._take_apart()
            except BrokeOff:
                self._through = self._broke_off = True
                raise
        while len(self._waiting) <= self._ahead:
            last = self._waiting[-1] if self._waiting else None
            if isinstance(last, BrokeOff) or (last is not None and not last.size):
                break
            try:
                self._waiting.append(self._take_apart())
            except BrokeOff as error:
                self._waiting.append(error)
        packet = self._waiting.popleft()
        if isinstance(packet, BrokeOff):
            self._through = self._broke_off = True
            raise packet
        return packet

    def _take_apart(self) -> Packet[VideoStream]:
        for _ in range(MAX_UNREADABLE):
            try:
                # An empty packet says that the picture before it stays; the one without a time is the end.
                packet = next(self._packets)
                while not packet.size and packet.dts is not None:
                    packet = next(self._packets)
                return packet
            except av.error.InvalidDataError:
                self.spoiled += 1
                self._packets = self._container.demux(self._stream)
            except av.error.FFmpegError as error:
                raise BrokeOff(reason_of(error)) from error
        raise BrokeOff("it cannot be taken apart any more")

    def _decode(self, packet: Packet[VideoStream]) -> None:
        size = packet.size
        damaged = packet.is_corrupt
        if size:
            self._last_short = damaged
            self.last_byte = packet.pos or self.last_byte
            if self._tail.wanted:
                self._tail.add(packet)
        try:
            for frame in packet.decode():
                damaged |= frame.is_corrupt
                self._show(frame)
            if damaged and size:
                self.damaged += 1
        except (av.error.FFmpegError, ValueError):
            self.spoiled += bool(size)
            damaged = True
        if size:
            self._last_damaged = damaged
            return
        self._last_damaged |= damaged
        self._through = True
        if self._deinterlacer is not None:
            self._ready.extend(_whole(frame) for frame in self._deinterlacer.push(None))

    def _show(self, frame: VideoFrame) -> None:
        ticks = frame.dts if self._stamped_by_order else frame.pts
        size = frame.width, frame.height
        if size != self._frame_size:
            self.resized = self._frame_size is not None
            self._frame_size = self._frame_size or size
        if frame.interlaced_frame:
            self.interlaced = True
            self._deinterlacer = self._deinterlacer or Deinterlacer()
        if self._deinterlacer is None:
            stamp_s = None if ticks is None else ticks * self._tick_s
            self._ready.append(DecodedFrame(frame, stamp_s))
            return
        frame.pts, frame.time_base = ticks, self._stream.time_base
        self._ready.extend(_whole(each) for each in self._deinterlacer.push(frame))


def _whole(frame: VideoFrame) -> DecodedFrame:
    return DecodedFrame(frame, frame.time)
