"""Which held-out photos have a near copy among the training photos: the next frame of the same scene, or its
mirror image. What a detector reaches on those says little about scenes it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.evaluation.pool import Image

SIDES_PX = (24, 18)
ALIKE = 0.9
"""Correlation of two grey thumbnails from which they are taken for the same scene."""


def thumbnail(image: Image) -> NDArray[np.float32]:
    """The picture's grey thumbnail (18, 24) with mean 0 and norm 1; zeros for a blank picture."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = np.asarray(cv2.resize(grey, SIDES_PX, interpolation=cv2.INTER_AREA), np.float32)
    small -= small.mean()
    norm = float(np.linalg.norm(small))
    return small / np.float32(norm) if norm > 0 else small


def have_near_copy(
    held_out: Sequence[NDArray[np.float32]], trained_on: Sequence[NDArray[np.float32]]
) -> NDArray[np.bool_]:
    """Of each held-out thumbnail, whether one of the others is ALIKE, as it is or mirrored."""
    if not len(held_out) or not len(trained_on):
        return np.zeros(len(held_out), bool)
    known = np.stack([side for one in trained_on for side in (one, one[:, ::-1])]).reshape(
        2 * len(trained_on), -1
    )
    found = np.stack(list(held_out)).reshape(len(held_out), -1) @ known.T
    return np.asarray(found.max(1) >= ALIKE)
