"""Non-maximum suppression: of boxes that lie on each other, keep the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_CANDIDATES = 512
"""Only the best candidates are compared with each other: the cost is bounded whatever the network says."""

MAX_BOXES = 200
"""More persons than a camera can usefully show."""


def iou_matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes (n, 4) and (m, 4), left, top, right, bottom: (n, m)."""
    left_top = np.maximum(a[:, None, :2], b[None, :, :2])
    right_bottom = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(right_bottom - left_top, 0.0)
    shared = sides[..., 0] * sides[..., 1]
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    union = area_a[:, None] + area_b[None, :] - shared
    result: NDArray[np.float32] = shared / np.maximum(union, np.float32(1e-9))
    return result


def suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32], iou_limit: float) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best first.

    boxes (n, 4) left, top, right, bottom; scores (n,). A box goes when it shares more than `iou_limit` with a
    better one that stays. Equal scores keep their order, so the result depends on the input alone.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    if len(order) == 0:
        return order
    overlapping = iou_matrix(boxes[order], boxes[order]) > iou_limit
    alive = np.ones(len(order), bool)
    kept: list[int] = []
    for rank in range(len(order)):
        if alive[rank]:
            kept.append(rank)
            if len(kept) == MAX_BOXES:
                break
            alive &= ~overlapping[rank]
    return order[kept]
