"""Whether the last picture of a stream without an index is all there.

FFmpeg says of most codings that a picture was incomplete. Of H.265 it does not: the pictures since the last
key picture are decoded once more by a decoder that gives up at the first fault.
"""

from __future__ import annotations

import av.error
from av.codec import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

STREAMS = ("hevc", "mpegts", "mpeg")
"""Containers that have no other way to tell."""
MAX_BYTES = 16_000_000
"""A longer group of pictures is not kept, and not judged."""


class Tail:
    """The packets since the last key picture, where they will be wanted."""

    def __init__(self, container: str, coding: str) -> None:
        self.wanted = coding == "hevc" and container in STREAMS
        """Whether packets are to be added."""
        self._packets: list[Packet[VideoStream]] = []
        self._bytes = 0

    def add(self, packet: Packet[VideoStream]) -> None:
        """A packet that was read."""
        if packet.is_keyframe:
            self._packets.clear()
            self._bytes = 0
        self._bytes += packet.size
        if self._bytes <= MAX_BYTES:
            self._packets.append(packet)

    def is_cut(self, context: VideoCodecContext) -> bool:
        """Whether the last packet alone cannot be decoded without a fault."""
        if not self._packets or self._bytes > MAX_BYTES:
            return False
        strict = CodecContext.create(context.codec.name, "r")
        assert isinstance(strict, VideoCodecContext)
        strict.options = {"err_detect": "explode"}
        # With one thread FFmpeg 8 overlooks the fault in a slice.
        strict.extradata, strict.thread_count = context.extradata, 2
        faults = [not _decodes(strict, packet) for packet in self._packets]
        return faults[-1] and not any(faults[:-1])


def _decodes(decoder: VideoCodecContext, packet: Packet[VideoStream]) -> bool:
    try:
        decoder.decode(packet)
    except av.error.FFmpegError:
        return False
    return True
