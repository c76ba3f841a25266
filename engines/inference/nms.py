"""Non-maximum suppression: of boxes that lie on each other, keep the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_CANDIDATES = 300
"""Only the best candidates are compared with each other: the cost is bounded whatever the network says."""

MAX_BOXES = 200
"""More persons than a camera can usefully show."""

MIN_AREA = np.float32(1e-9)


def iou_matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes (n, 4) and (m, 4), left, top, right, bottom: (n, m)."""
    width = np.minimum(a[:, None, 2], b[None, :, 2])
    width -= np.maximum(a[:, None, 0], b[None, :, 0])
    np.maximum(width, 0.0, out=width)
    shared = np.minimum(a[:, None, 3], b[None, :, 3])
    shared -= np.maximum(a[:, None, 1], b[None, :, 1])
    np.maximum(shared, 0.0, out=shared)
    shared *= width
    union = np.add(_area(a)[:, None], _area(b)[None, :], out=width)
    union -= shared
    np.maximum(union, MIN_AREA, out=union)
    shared /= union
    return shared


def _area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    area: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32], iou_limit: float) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best first.

    boxes (n, 4) left, top, right, bottom; scores (n,). A box goes when it shares more than `iou_limit` with a
    better one that stays. Equal scores keep their order, so the result depends on the input alone.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    if len(order) == 0:
        return order
    columns = np.asfortranarray(boxes[order], np.float32)
    apart = iou_matrix(columns, columns) <= iou_limit
    alive = np.ones(len(order), bool)
    kept: list[int] = []
    for rank in range(len(order)):
        if alive[rank]:
            kept.append(rank)
            if len(kept) == MAX_BOXES:
                break
            alive &= apart[rank]
    return order[kept]
