"""JPEG pictures as RTP payloads (RFC 2435), as cameras send them that know nothing else."""

from __future__ import annotations

import struct
from collections.abc import Iterator

SUBSAMPLINGS = {0x21: 0, 0x22: 1}
"""RTP's type by the sampling factors of the first component: 4:2:2 and 4:2:0."""
_TABLES, _FRAME, _RESTARTS, _SCAN = 0xDB, 0xC0, 0xDD, 0xDA
_QUALITY = 255
"""The tables come with each picture."""


def rtp_payloads(jpeg: bytes, most: int) -> Iterator[bytes]:
    """A baseline JPEG with the usual Huffman tables as payloads of about `most` bytes.

    Sides of 2,048 pixels and more do not fit in the header: they are sent as 0.
    """
    tables: dict[int, bytes] = {}
    kind = width = height = interval = 0
    scan = b""
    for marker, start, end in _segments(jpeg):
        content = jpeg[start:end]
        if marker == _TABLES:
            for place in range(0, len(content), 65):
                tables[content[place]] = content[place + 1 : place + 65]
        elif marker == _FRAME:
            height, width = struct.unpack("!HH", content[1:5])
            kind = SUBSAMPLINGS[content[7]]
        elif marker == _RESTARTS:
            interval = int.from_bytes(content, "big")
        elif marker == _SCAN:
            scan = jpeg[end : jpeg.rindex(b"\xff\xd9")]
    quantization = b"".join(tables[number] for number in sorted(tables))
    size = bytes(side // 8 if side < 2048 else 0 for side in (width + 7, height + 7))
    for offset in range(0, len(scan), most):
        head = struct.pack("!IBB", offset, kind | (0x40 if interval else 0), _QUALITY) + size
        head += struct.pack("!HH", interval, 0xFFFF) if interval else b""
        head += struct.pack("!HH", 0, len(quantization)) + quantization if not offset else b""
        yield head + scan[offset : offset + most]


def _segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """The marker of each segment of the header, and where its content begins and ends."""
    place = 2
    while place + 4 <= len(jpeg):
        marker, length = jpeg[place + 1], int.from_bytes(jpeg[place + 2 : place + 4], "big")
        yield marker, place + 4, place + 2 + length
        if marker == _SCAN:
            return
        place += 2 + length
