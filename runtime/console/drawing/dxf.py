"""An architect's drawing (DXF) as a picture of the floor, with its size where the drawing says its units."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from web.errors import WebError

LONGER_SIDE_PX = 2_400
MAX_PIECES = 200_000
INK = (70, 66, 60)
LARGEST_M = 2_000.0
"""A floor that is larger was drawn in other units than its file says."""
MISSING = "DXF needs the package ezdxf: pip install 'tagsight[plan]' on the box, or export the plan as PNG."

Image = NDArray[np.uint8]


def looks_like_dxf(data: bytes) -> bool:
    """Whether these bytes begin as a DXF does, in text or binary."""
    head = data[:200].lstrip()
    return head.startswith(b"AutoCAD Binary DXF") or head.split(b"\n")[0].strip() in (b"0", b"999")


def dxf_picture(data: bytes) -> tuple[Image, tuple[float, float] | None]:
    """The model space as pixels (height, width, 3), and its width and height in metres if known.

    Raises WebError where the package is missing, or for what is no drawing with lines in it.
    """
    lines, metres_a_unit = _lines_of(data)
    if not lines:
        raise WebError("No lines are in the model space of that DXF; export the plan as PNG.")
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    wide, tall = (float(side) for side in np.maximum(high - low, 1e-9))
    scale = LONGER_SIDE_PX / max(wide, tall)
    size = max(1, round(tall * scale)), max(1, round(wide * scale))
    image = np.full((*size, 3), 255, np.uint8)
    for line in lines:
        pixels = np.column_stack([(line[:, 0] - low[0]) * scale, (high[1] - line[:, 1]) * scale])
        cv2.polylines(image, [np.round(pixels * 16).astype(np.int32)], False, INK, 2, cv2.LINE_AA, 4)
    if metres_a_unit is None or max(wide, tall) * metres_a_unit > LARGEST_M:
        return image, None
    return image, (round(wide * metres_a_unit, 2), round(tall * metres_a_unit, 2))


def _lines_of(data: bytes) -> tuple[list[NDArray[np.float64]], float | None]:
    try:
        from ezdxf import units
        from ezdxf.disassemble import recursive_decompose, to_primitives
        from ezdxf.enums import InsertUnits
        from ezdxf.lldxf.const import DXFError
        from ezdxf.recover import read
    except ImportError:
        raise WebError(MISSING) from None
    try:
        document, _ = read(io.BytesIO(data))
        space = document.modelspace()
        pieces = itertools.islice(to_primitives(recursive_decompose(space)), MAX_PIECES)
        lines = list(_finite(np.array([(each.x, each.y) for each in piece.vertices()]) for piece in pieces))
        code = int(document.header.get("$INSUNITS", 0))
    except (DXFError, OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise WebError(
            f"That DXF cannot be read ({' '.join(str(error).split())[:120]}); export the plan as PNG."
        ) from error
    return lines, float(units.conversion_factor(InsertUnits(code), InsertUnits.Meters)) if code else None


def _finite(lines: Iterable[NDArray[np.float64]]) -> Iterator[NDArray[np.float64]]:
    """Those with two places or more, all of them places."""
    return (line for line in lines if line.ndim == 2 and len(line) > 1 and np.isfinite(line).all())
