"""What a camera sees of a person: from a box in the picture to a place on the floor, with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.geometry import Bools, Floats, Homography

PSEUDO_PERSON_SHARE = 0.3
"""Without a floor, a person this share of the picture's height tall counts as 1.7 pseudo metres."""

EDGE_PX = 3.0
"""A box this close to the picture's edge is taken as cut by it."""


@dataclass(frozen=True)
class CameraView:
    """One camera's picture and its place over the floor.

    Without a homography the picture itself, scaled to pseudo metres, stands in for the floor.
    """

    width_px: int
    height_px: int
    homography: Homography | None = None

    def plane(self) -> Homography:
        """The image-to-floor map the tracker works on."""
        if self.homography is not None:
            return self.homography
        metres = 1.7 / (PSEUDO_PERSON_SHARE * self.height_px)
        return Homography(np.diag([metres, metres, 1.0]))


@dataclass(frozen=True)
class Sightings:
    """The boxes of one frame that may be people, arrays over n boxes.

    boxes (n, 4) left, top, right, bottom px; `head_cut` and `foot_hidden` say which upper and lower edges
    do not show the person's own head and feet, `side_cut` which boxes the picture's left or right edge cuts.
    """

    boxes: Floats
    scores: Floats
    foot_px: Floats
    height_px: Floats
    head_cut: Bools
    foot_hidden: Bools
    side_cut: Bools

    def take(self, index: npt.NDArray[np.intp]) -> Sightings:
        """The sightings at `index`, in that order."""
        return Sightings(
            self.boxes[index],
            self.scores[index],
            self.foot_px[index],
            self.height_px[index],
            self.head_cut[index],
            self.foot_hidden[index],
            self.side_cut[index],
        )


def sight(view: CameraView, boxes: Floats, scores: Floats) -> Sightings:
    """Judge the boxes of one frame: where their edges are the person's own, and where something cuts them."""
    left, top, right, bottom = boxes.T
    height = bottom - top
    foot = np.stack([(left + right) / 2, bottom], axis=1)
    return Sightings(
        boxes=boxes,
        scores=scores,
        foot_px=foot,
        height_px=height,
        head_cut=top <= EDGE_PX,
        foot_hidden=(bottom >= view.height_px - EDGE_PX) | feet_behind_others(boxes),
        side_cut=(left <= EDGE_PX) | (right >= view.width_px - EDGE_PX),
    )


def feet_behind_others(boxes: Floats, share: float = 0.35) -> Bools:
    """Which boxes (n, 4) have their lower end covered by a person standing nearer to the camera.

    Nearer is who stands lower in the picture; covered means that `share` of the width of the lowest fifth
    lies behind the other's box.
    """
    if len(boxes) < 2:
        return np.zeros(len(boxes), dtype=np.bool_)
    left, top, right, bottom = boxes.T
    width = np.maximum(right - left, 1e-9)
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    ankle = bottom - 0.1 * (bottom - top)
    nearer = (bottom[None] > bottom[:, None]) & (top[None] < ankle[:, None])
    covered: Bools = np.asarray((nearer & (across > share * width[:, None])).any(axis=1))
    return covered


def overlaps(boxes: npt.ArrayLike, others: npt.ArrayLike) -> Floats:
    """Intersection over union (n, m) of boxes (n, 4) with others (m, 4), all left, top, right, bottom."""
    a, b = np.asarray(boxes, dtype=np.float64), np.asarray(others, dtype=np.float64)
    across = np.minimum(a[:, None, 2], b[:, 2]) - np.maximum(a[:, None, 0], b[:, 0])
    down = np.minimum(a[:, None, 3], b[:, 3]) - np.maximum(a[:, None, 1], b[:, 1])
    shared = np.maximum(across, 0) * np.maximum(down, 0)
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    found: Floats = shared / np.maximum(area_a[:, None] + area_b - shared, 1e-9)
    return found


def singled_out(boxes: Floats, scores: Floats, overlap: float) -> Bools:
    """Which boxes (n, 4) to keep so that no two overlap by more than `overlap`: the better one stays."""
    kept = np.ones(len(boxes), dtype=np.bool_)
    too_close = overlaps(boxes, boxes) > overlap
    for row in np.argsort(-scores, kind="stable")[:-1]:
        if kept[row]:
            rivals = too_close[row] & kept
            rivals[row] = False
            kept[rivals & (scores <= scores[row])] = False
    return kept
