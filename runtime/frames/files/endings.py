"""Whether a file of video ends where its container ends, or was broken off before.

Each container is asked for what it knows for certain: the place of its last picture, the length of its boxes,
a mark at its end. Lengths in seconds and numbers of frames are estimates in many of them and are not asked.
Pictures count, not the file's last byte: a copy that lost nothing but the index behind them is whole.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from runtime.frames.video.demux import VideoReader

_UNKNOWN_SIZE = (0, 0xFFFFFFFF)
"""What a recorder writes for a length before it knows it."""
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_TOP_LEVEL = {_CLUSTER, 0x1C53BB6B, 0x1254C367, 0x1549A966, 0x1654AE6B, 0x1043A770, 0x1941A469, 0x114D9B74}
"""A Matroska segment's children: cluster, cues, tags, info, tracks, chapters, attachments, seek head."""
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))
"""Length of a transport stream's packets and where in them the sync byte stands."""
_TAIL = 65_536
_END_MARKS = {
    "h264": re.compile(rb"\x00\x00\x01[\x0a\x0b]\x00*\Z"),
    "hevc": re.compile(rb"\x00\x00\x01[\x48\x4a]\x01\x00*\Z"),
    "mpegvideo": re.compile(rb"\x00\x00\x01\xb7\x00*\Z"),
    "mpeg": re.compile(rb"\x00\x00\x01\xb9\x00*\Z"),
}
"""What may stand at the very end of a bare stream: end of sequence or of stream (ITU-T H.264 and H.265,
7.4.2), a sequence or program end code (ISO/IEC 13818-2 and 13818-1). Few write them, so lacking one says
nothing."""


def breaks_off(path: Path, video: VideoReader) -> bool:
    """Whether the file at `path`, of which `video` has been read to its end, lacks pictures at its end."""
    size = path.stat().st_size
    container = video.container.split(",")[0]
    if video.index_end > size or video.last_is_short:
        return True
    judge = _JUDGES.get(container)
    with path.open("rb") as file:
        if container in _END_MARKS and _END_MARKS[container].search(_tail(file, size, _TAIL)):
            return False
        if container not in _KNOWING and video.last_is_damaged:
            return True
        return judge is not None and judge(file, size)


def lacks_its_index(path: Path) -> bool:
    """Whether an MP4 file ends before its `moov` box, and so cannot be decoded (ISO/IEC 14496-12, 4.2)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        boxes = list(_boxes(file, size))
    return bool(boxes) and boxes[0].kind == b"ftyp" and not any(box.kind == b"moov" for box in boxes)


class _Box(NamedTuple):
    """A part of a file: its name and where it says that it ends."""

    kind: bytes
    end: int


def _boxes(file: BinaryIO, size: int) -> Iterator[_Box]:
    """The top-level boxes of an MP4 file."""
    position = 0
    while position < size:
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            yield _Box(b"", position + 8)
            return
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size - position
        if length < 8:
            return
        position += length
        yield _Box(head[4:8], position)


def _fragments_break_off(file: BinaryIO, size: int) -> bool:
    """Of a file in fragments: each has a box; one without is judged by its index alone."""
    boxes = list(_boxes(file, size))
    return any(box.kind == b"moof" for box in boxes) and boxes[-1].end > size


def _movie_list_breaks_off(file: BinaryIO, size: int) -> bool:
    """Whether a `movi` list of an AVI file, or of one of its continuations, goes beyond the file."""
    position = 0
    while position + 12 <= size:
        kind, length, _ = _chunk(file, position)
        if kind != b"RIFF":
            return False
        inner = position + 12
        while inner + 12 <= size:
            name, inner_length, form = _chunk(file, inner)
            if name == b"LIST" and form == b"movi":
                if inner_length not in _UNKNOWN_SIZE and inner + 8 + inner_length > size:
                    return True
                break
            inner += 8 + inner_length + inner_length % 2
        if length in _UNKNOWN_SIZE:
            return False
        position += 8 + length + length % 2
    return False


def _chunk(file: BinaryIO, position: int) -> tuple[bytes, int, bytes]:
    file.seek(position)
    kind, length, form = struct.unpack("<4sI4s", file.read(12))
    return kind, length, form


def _segment_breaks_off(file: BinaryIO, size: int) -> bool:
    """Whether a Matroska segment ends within a cluster, or before its time though only clusters came."""
    position, segment_end, last = 0, None, 0
    while position < size:
        element = _element(file, position)
        if element is None:
            return last in (0, _CLUSTER)
        kind, length, inside = element
        if kind == _SEGMENT:
            segment_end = None if length is None else inside + length
            position = inside
            continue
        if kind in _TOP_LEVEL:
            last = kind
        # A cluster of unknown length is looked into: what is no child of the segment belongs to it.
        position = inside if length is None else inside + length
        if position > size:
            return last in (0, _CLUSTER)
    return segment_end is not None and position < segment_end and last in (0, _CLUSTER)


def _element(file: BinaryIO, position: int) -> tuple[int, int | None, int] | None:
    """Id, length (None where it is left open) and start of the contents of an EBML element (RFC 8794)."""
    file.seek(position)
    head = file.read(12)
    if not head or not head[0]:
        return None
    id_length = 9 - head[0].bit_length()
    if len(head) <= id_length or not head[id_length]:
        return None
    size_length = 9 - head[id_length].bit_length()
    data = head[id_length : id_length + size_length]
    if len(data) < size_length:
        return None
    ones = (1 << 7 * size_length) - 1
    length = int.from_bytes(data, "big") & ones
    inside = position + id_length + size_length
    return int.from_bytes(head[:id_length], "big"), None if length == ones else length, inside


def _packets_break_off(file: BinaryIO, size: int) -> bool:
    """Whether a transport stream's last packet is incomplete, seen from the packets before it."""
    tail = _tail(file, size, 204 * 12)
    return not any(
        all(tail[-length * back + sync] == 0x47 for back in range(1, min(6, len(tail) // length + 1)))
        for length, sync in _TS_PACKETS
        if len(tail) >= length
    )


def _is_shorter_than_declared(file: BinaryIO, size: int) -> bool:
    """Whether its own header says that it is longer (FLV's `filesize`, ASF's file properties)."""
    file.seek(0)
    head = file.read(_TAIL)
    flv = re.search(rb"\x00\x08filesize\x00(.{8})", head, re.DOTALL)
    if flv is not None:
        (declared,) = struct.unpack(">d", flv[1])
        return bool(size < declared)
    place = head.find(_ASF_FILE)
    if place < 0 or len(head) < place + 96:
        return False
    declared, flags = struct.unpack("<Q", head[place + 40 : place + 48])[0], head[place + 88]
    return not flags & 1 and size < declared


def _lacks_its_last_page(file: BinaryIO, size: int) -> bool:
    """Whether an Ogg file's last page is not marked as the last of its stream (RFC 3533, 6)."""
    tail = _tail(file, size, _TAIL)
    place = tail.rfind(b"OggS")
    return place < 0 or len(tail) <= place + 5 or not tail[place + 5] & 4


def _lacks_its_trailer(file: BinaryIO, size: int) -> bool:
    return _tail(file, size, 1) != b";"


def _ends_within_a_picture(file: BinaryIO, size: int) -> bool:
    return not _tail(file, size, 64).rstrip(b"\0").endswith(b"\xff\xd9")


def _tail(file: BinaryIO, size: int, length: int) -> bytes:
    file.seek(max(0, size - length))
    return file.read()


_JUDGES: dict[str, Callable[[BinaryIO, int], bool]] = {
    "mov": _fragments_break_off,
    "matroska": _segment_breaks_off,
    "avi": _movie_list_breaks_off,
    "mpegts": _packets_break_off,
    "flv": _is_shorter_than_declared,
    "asf": _is_shorter_than_declared,
    "ogg": _lacks_its_last_page,
    "gif": _lacks_its_trailer,
    "mjpeg": _ends_within_a_picture,
}
"""By FFmpeg's name of the container; the others have nothing of the kind."""
_KNOWING = ("mov", "matroska", "avi", "flv", "ogg")
"""Containers that know the length of each picture: where it is all there, damage in it is only damage."""
