"""Pictures in which nobody can be recognised: heads blurred, and what moves and is no known person.

Boxes are left, top, width, height in pixels of the picture they are used on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = tuple[float, float, float, float]

HEAD_SHARE = 0.3
"""The upper part of a person's box that is blurred: a head is an eighth of a standing adult, more of one who
sits or is cut off by the picture's edge."""
BESIDE_SHARE, ABOVE_SHARE = 0.25, 0.12
"""So much of the box's width on either side, and of its height above it, is blurred as well."""
BLOCKS = 3
"""A blurred head has so many blocks across."""
MOTION_PX = 160
"""Width of the picture in which motion is looked for."""
MOTION_LEVELS = 18
MOTION_MEMORY = 0.04
FRAMES_TO_LEARN = 5
"""Pictures until it is known what stands still; none is shown before."""


def blur_heads(image: Image, boxes: Iterable[Box]) -> None:
    """Blur the heads of people in these boxes, in place."""
    height, width = image.shape[:2]
    for left, top, across, down in boxes:
        x0 = max(0, int(left - BESIDE_SHARE * across))
        x1 = min(width, int(np.ceil(left + (1 + BESIDE_SHARE) * across)))
        y0 = max(0, int(top - ABOVE_SHARE * down))
        y1 = min(height, int(np.ceil(top + HEAD_SHARE * down)))
        if x1 > x0 and y1 > y0:
            _blur(image[y0:y1, x0:x1], max(1, min(BLOCKS, (x1 - x0) // 4)))


class MovingThings:
    """What moves in the pictures of one camera, by an average of those before."""

    def __init__(self) -> None:
        self._still: NDArray[np.float32] | None = None
        self._frames = 0

    @property
    def has_learned(self) -> bool:
        """Whether it is known what stands still."""
        return self._frames >= FRAMES_TO_LEARN

    def blur(self, image: Image, boxes: Sequence[Box]) -> None:
        """Blur what moves outside the boxes, in place; what is in a box is `blur_heads`' business."""
        height, width = image.shape[:2]
        scale = MOTION_PX / width
        size = (MOTION_PX, max(1, round(height * scale)))
        now = cv2.GaussianBlur(cv2.cvtColor(cv2.resize(image, size), cv2.COLOR_BGR2GRAY), (5, 5), 0)
        gray = now.astype(np.float32)
        self._frames += 1
        if self._still is None or self._still.shape != gray.shape:
            self._still, self._frames = gray, 1
            return
        moving = (np.abs(gray - self._still) > MOTION_LEVELS).astype(np.uint8)
        cv2.accumulateWeighted(gray, self._still, MOTION_MEMORY)
        moving = cv2.dilate(moving, np.ones((5, 5), np.uint8))
        for left, top, across, down in boxes:
            y0, y1 = max(0, int(top * scale)), max(0, int((top + down) * scale) + 1)
            moving[y0:y1, max(0, int(left * scale)) : max(0, int((left + across) * scale) + 1)] = 0
        if moving.any():
            mask = cv2.resize(moving, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
            coarse = image.copy()
            _blur(coarse, max(1, width // 24))
            image[mask] = coarse[mask]


def _blur(part: Image, blocks: int) -> None:
    """Coarse squares with soft edges, in place: nothing of what was there can be brought back."""
    height, width = part.shape[:2]
    small = cv2.resize(part, (blocks, max(1, round(blocks * height / width))), interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
