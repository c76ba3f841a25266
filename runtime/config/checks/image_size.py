"""Width and height of a PNG or JPEG from its first bytes, without decoding it."""

from __future__ import annotations

import struct
from pathlib import Path

MAX_HEADER_BYTES = 1_048_576
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def size_of_image(file: Path) -> tuple[int, int] | None:
    """(width, height) in pixels, or None when the file is neither PNG nor JPEG. Raises OSError."""
    with file.open("rb") as stream:
        return size_of(stream.read(MAX_HEADER_BYTES))


def size_of(head: bytes) -> tuple[int, int] | None:
    """As `size_of_image`, of an image's first bytes."""
    size = _png_size(head) or _jpeg_size(head)
    return size if size is not None and size[0] > 0 and size[1] > 0 else None


def _png_size(head: bytes) -> tuple[int, int] | None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR" or len(head) < 24:
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    if not head.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(head):
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if head[at] != 0xFF or length < 2:
            return None
        if marker in START_OF_FRAME:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None
