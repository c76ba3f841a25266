"""A picture of the shop's floor that somebody sends: looked at, made plain, and put beside store.yaml."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import msgspec
import numpy as np

from runtime.config.checks.image_size import size_of
from runtime.console.drawing.dxf import dxf_picture, looks_like_dxf
from web.errors import WebError

MAX_UPLOAD_BYTES = 12 << 20
MAX_PIXELS = 40_000_000
LONGER_SIDE_PX = 3_000
"""A larger picture is made smaller: a page shows no more of it."""


class FloorPicture(msgspec.Struct, frozen=True):
    """`file` is named as store.yaml names it; width and height are pixels."""

    file: str
    width: int
    height: int
    metres: tuple[float, float] | None = None
    """Its width and height on the floor, where the drawing says so."""


def take_picture(data: bytes, folder: Path) -> FloorPicture:
    """PNG, JPEG or DXF to a PNG of its own in the folder. Raises WebError for anything else, or a full disk.

    It is decoded and written anew: what a picture carries beside its pixels stays out.
    """
    if looks_like_dxf(data):
        image, metres = dxf_picture(data)
        return keep_picture(image, folder, metres)
    size = size_of(data)
    if size is None:
        raise WebError("That is neither PNG nor JPEG nor DXF; export the plan as PNG.")
    if size[0] * size[1] > MAX_PIXELS:
        raise WebError(
            f"The picture has {size[0]} x {size[1]} pixels; at most {MAX_PIXELS // 10**6} million are right."
        )
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise WebError("The picture is broken off or spoiled; export it once more.")
    return keep_picture(np.asarray(decoded, np.uint8), folder)


def keep_picture(
    image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    folder: Path,
    metres: tuple[float, float] | None = None,
) -> FloorPicture:
    """Pixels (height, width, 3) as a PNG in the folder, named by what is in it. Raises WebError."""
    longer = max(image.shape[:2])
    if longer > LONGER_SIDE_PX:
        scale = LONGER_SIDE_PX / longer
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    data = cv2.imencode(".png", image)[1].tobytes()
    file = folder / f"plan-{hashlib.sha256(data).hexdigest()[:8]}.png"
    new = file.with_suffix(".new")
    try:
        with new.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(file)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise WebError(
            f"{file}: the picture cannot be kept ({error.strerror}); nothing was changed."
        ) from error
    return FloorPicture(file.name, image.shape[1], image.shape[0], metres)
