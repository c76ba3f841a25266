"""One picture of a camera: from an image file, a video or a live source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from runtime.frames.errors import FrameError
from runtime.frames.opening import open_source
from runtime.frames.sources import read

Image = npt.NDArray[Any]
STILL_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def take_picture(uri: str) -> Image:
    """The picture (H, W, 3) uint8 BGR of an image file, or the first one of any source of `store.yaml`.

    Raises FrameError, or the source's own error, when there is none.
    """
    if Path(uri).suffix.lower() in STILL_SUFFIXES:
        return _still(Path(uri))
    source = open_source(uri)
    try:
        frame = read(source)
    finally:
        source.close()
    if frame is None:
        raise FrameError(f"{source.label} ended before its first picture; give a camera that is on")
    return np.array(frame.image)


def _still(file: Path) -> Image:
    if not file.is_file():
        raise FrameError(f"{file}: no such picture; give an image, a video or a camera's URI")
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise FrameError(f"{file} is not a picture that can be read; PNG or JPEG is right")
    return np.asarray(image)


def save_picture(file: Path, image: Image) -> None:
    """Writes a picture in the format of its suffix. Raises FrameError when it cannot."""
    try:
        written = cv2.imwrite(str(file), image)
    except cv2.error as error:
        raise FrameError(f"{file}: unknown picture format; .png or .jpg is right") from error
    if not written:
        raise FrameError(f"{file} cannot be written; choose a folder that exists and is yours")
