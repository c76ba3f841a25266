"""The image that a network is tried on, and the persons in it.

`people.jpg` is rendered: bodies, clothes and hair of MakeHuman (CC0), in a shop made for it; `people.txt` has
the boxes, from the renderer. README.md beside them tells where they come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError

SHIPPED = Path(__file__).parent / "people.jpg"
MAX_IMAGE_BYTES = 64 << 20
MAX_SIDE = 8_192
MAX_LABELS_BYTES = 1 << 20


@dataclass(frozen=True)
class ReferenceImage:
    """uint8 BGR, and who is in it."""

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32] | None
    """(n, 4) left, top, right, bottom in pixels; None: only their number is known."""
    persons: int
    shipped: bool

    @property
    def size_wh(self) -> tuple[int, int]:
        """In pixels."""
        return self.image.shape[1], self.image.shape[0]


def load(path: Path | None, persons: int | None) -> ReferenceImage:
    """The shipped image, or the user's with its labels beside it, or with that many persons (else one).

    Raises EngineError for what is no image or no labels.
    """
    place = path or SHIPPED
    if not place.is_file():
        raise EngineError(f"{place}: no such file")
    if place.stat().st_size > MAX_IMAGE_BYTES:
        raise EngineError(f"{place}: is too large for a picture")
    image = cv2.imread(str(place), cv2.IMREAD_COLOR)
    if image is None:
        raise EngineError(f"{place}: is no picture that can be read; give a JPEG or PNG")
    height, width = image.shape[:2]
    if max(width, height) > MAX_SIDE:
        raise EngineError(f"{place}: {width} x {height} is larger than {MAX_SIDE} pixels a side")
    labels = place.with_suffix(".txt")
    if path is None or (persons is None and labels.is_file()):
        boxes = read_labels(labels, width, height)
        return ReferenceImage(np.asarray(image, np.uint8), boxes, len(boxes), path is None)
    return ReferenceImage(np.asarray(image, np.uint8), None, persons or 1, False)


def read_labels(path: Path, width: int, height: int) -> NDArray[np.float32]:
    """Boxes (n, 4) in pixels from YOLO labels: class, centre x and y, width, height as shares of the image.

    Raises EngineError.
    """
    right = "write a line a person: 0, and centre x, centre y, width, height as shares of the picture"
    try:
        if path.stat().st_size > MAX_LABELS_BYTES:
            raise EngineError(f"{path}: is too large for labels; {right}")
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        table = np.array([[float(value) for value in row] for row in rows], np.float32).reshape(-1, 5)
    except (ValueError, OSError) as error:
        raise EngineError(f"{path}: is no list of boxes; {right}") from error
    if not len(table) or not ((table[:, 1:] >= 0) & (table[:, 1:] <= 1)).all():
        raise EngineError(f"{path}: holds no boxes within the picture; {right}")
    centre, half = table[:, 1:3], table[:, 3:] / 2
    size = np.array((width, height) * 2, np.float32)
    return np.asarray(np.concatenate((centre - half, centre + half), 1) * size, np.float32)


def persons_there(path: Path | None, persons: int | None) -> int:
    """How many persons a network is to find, without reading the image; 0 where that cannot be said."""
    labels = (path or SHIPPED).with_suffix(".txt")
    if persons is not None and path is not None:
        return persons
    try:
        return len(read_labels(labels, 1, 1))
    except EngineError:
        return 0 if path is None else 1
