"""The frame descriptor: where frames lie in memory and where they go in the network's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.cuda.errors import LaunchError

MAX_SIDE_PX = 8192

BGR, NV12 = 0, 1

FRAME = np.dtype(
    [
        ("pixels", "<u8"),
        ("bytes", "<u8"),
        ("chroma_offset", "<u8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("row_bytes", "<i4"),
        ("format", "<i4"),
        ("step_x", "<f4"),
        ("step_y", "<f4"),
        ("left", "<i4"),
        ("top", "<i4"),
        ("placed_width", "<i4"),
        ("placed_height", "<i4"),
    ]
)
"""`struct Frame` of kernels/common.cu."""


@dataclass(frozen=True)
class Placed:
    """A frame in memory and where it goes in the network's input (pixels)."""

    address: int
    """As the GPU sees it; 0 leaves this place of the batch empty."""
    bytes: int
    """That may be read there: the size of the ring's slot."""
    width: int
    height: int
    offset_xy: tuple[int, int]
    size_wh: tuple[int, int]
    format: int = BGR
    row_bytes: int = 0
    """0: rows without a gap."""
    chroma_offset: int = 0
    """0: the chroma follows the luma."""


def descriptors(frames: Sequence[Placed]) -> NDArray[np.void]:
    """The frames as an array of FRAME, to be copied to the GPU.

    Raises LaunchError for a frame that does not lie in its memory; the kernels check it once more.
    """
    table = np.zeros(len(frames), FRAME)
    for row, frame in zip(table, frames, strict=True):
        if not frame.address:
            continue
        _check_frame(frame)
        row_bytes = frame.row_bytes or (
            3 * frame.width if frame.format == BGR else frame.width + frame.width % 2
        )
        chroma_offset = frame.chroma_offset or (0 if frame.format == BGR else row_bytes * frame.height)
        if _needed_bytes(frame, row_bytes, chroma_offset) > frame.bytes:
            raise LaunchError(
                f"a frame of {frame.width} x {frame.height}, {row_bytes} bytes a row, "
                f"does not fit its {frame.bytes} bytes"
            )
        row["pixels"], row["bytes"], row["chroma_offset"] = frame.address, frame.bytes, chroma_offset
        row["width"], row["height"] = frame.width, frame.height
        row["row_bytes"], row["format"] = row_bytes, frame.format
        row["step_x"], row["step_y"] = frame.width / frame.size_wh[0], frame.height / frame.size_wh[1]
        (row["left"], row["top"]), (row["placed_width"], row["placed_height"]) = (
            frame.offset_xy,
            frame.size_wh,
        )
    return table


def _check_frame(frame: Placed) -> None:
    if frame.format not in (BGR, NV12):
        raise LaunchError(f"pixel format {frame.format} is unknown; 0 is BGR, 1 is NV12")
    sides = (frame.width, frame.height, *frame.size_wh)
    if min(sides) < 1 or max(sides) > MAX_SIDE_PX:
        raise LaunchError(f"sides {sides} must be 1 to {MAX_SIDE_PX} pixels")
    least_row = 3 * frame.width if frame.format == BGR else frame.width + frame.width % 2
    if frame.row_bytes and frame.row_bytes < least_row:
        raise LaunchError(
            f"{frame.row_bytes} bytes a row are too few for {frame.width} pixels: at least {least_row}"
        )


def _needed_bytes(frame: Placed, row_bytes: int, chroma_offset: int) -> int:
    if frame.format == BGR:
        return (frame.height - 1) * row_bytes + 3 * frame.width
    chroma_rows, chroma_bytes = (frame.height + 1) // 2, frame.width + frame.width % 2
    luma = (frame.height - 1) * row_bytes + frame.width
    return max(luma, chroma_offset + (chroma_rows - 1) * row_bytes + chroma_bytes)
