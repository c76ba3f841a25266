"""What a person wears, as colours: enough to tell people apart who meet and part again.

The signature is the square root of a histogram over hue, saturation and value of the upper and of the
lower body, so that the dot product of two signatures is their Bhattacharyya coefficient, 1 for equal colours.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from runtime.geometry import Floats

COLOURS = (6, 3, 4)
"""Bins of hue, saturation and value."""

PARTS = ((0.12, 0.50), (0.50, 0.90))
"""Upper and lower body, as shares of a box's height."""

WIDTH_SHARE = 0.6
"""The middle of a box, where the person hides the background."""

SAMPLES = 24
"""Pixels a part is sampled down to along each side."""

SIZE = len(PARTS) * int(np.prod(COLOURS))


def colour_signatures(image_bgr: npt.NDArray[np.uint8], boxes: npt.ArrayLike) -> Floats:
    """Signatures (n, SIZE), each of length 1, of boxes (n, 4) left, top, right, bottom px.

    A box outside the picture gets the signature of no colour in particular.
    """
    box = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    found = np.full((len(box), SIZE), 1 / np.sqrt(SIZE))
    height, width = image_bgr.shape[:2]
    for row, (left, top, right, bottom) in enumerate(box.tolist()):
        inset = (right - left) * (1 - WIDTH_SHARE) / 2
        u0, u1 = max(0, int(left + inset)), max(0, min(width, int(np.ceil(right - inset))))
        parts = []
        for begin, end in PARTS:
            v0 = max(0, int(top + begin * (bottom - top)))
            v1 = max(0, min(height, int(np.ceil(top + end * (bottom - top)))))
            parts.append(image_bgr[v0:v1, u0:u1])
        if all(part.size for part in parts):
            found[row] = np.concatenate([_histogram(part) for part in parts])
    return found


def _histogram(part: npt.NDArray[np.uint8]) -> Floats:
    rows, columns = max(1, part.shape[0] // SAMPLES), max(1, part.shape[1] // SAMPLES)
    hsv = cv2.cvtColor(np.ascontiguousarray(part[::rows, ::columns]), cv2.COLOR_BGR2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(COLOURS), [0, 180, 0, 256, 0, 256]).ravel()
    root: Floats = np.sqrt(counts.astype(np.float64) / (len(PARTS) * counts.sum()))
    return root
