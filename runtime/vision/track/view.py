"""What a camera sees of people: boxes, truncated by the picture's edge or occluded by other people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from runtime.geometry import Bools, Floats, Homography
from runtime.vision.track.plane import Plane

PSEUDO_PERSON_SHARE = 0.3
"""Without a floor, a person this share of the picture's height tall counts as 1.7 pseudo metres."""

EDGE_PX = 3.0
"""A box this close to the picture's edge is taken as truncated by it."""

COVERED_SHARE = 0.35
"""Feet are occluded if someone nearer covers this share of their width."""


@dataclass(frozen=True)
class CameraView:
    """One camera's picture and its place over the floor.

    Without a homography the picture itself, scaled to pseudo metres, stands in for the floor.
    """

    width_px: int
    height_px: int
    homography: Homography | None = None

    def plane(self) -> Plane:
        """The image-to-floor map the tracker works on."""
        if self.homography is not None:
            return Plane(self.homography)
        metres = 1.7 / (PSEUDO_PERSON_SHARE * self.height_px)
        return Plane(Homography(np.diag([metres, metres, 1.0])))


class Sightings(NamedTuple):
    """The boxes of one frame that may be people, arrays over n boxes.

    boxes (n, 4) left, top, right, bottom px; `pixel_width_m` is that at the middle of the lower edge,
    `foot_px`. `head_truncated` and `foot_occluded` say which upper and lower edges do not show the person's
    own head and feet, `side_truncated` which boxes the picture's left or right edge cuts.
    """

    boxes: Floats
    scores: Floats
    foot_px: Floats
    height_px: Floats
    pixel_width_m: Floats
    head_truncated: Bools
    foot_occluded: Bools
    left_truncated: Bools
    right_truncated: Bools

    @property
    def side_truncated(self) -> Bools:
        """Which boxes the picture's left or right edge cuts."""
        cut: Bools = self.left_truncated | self.right_truncated
        return cut

    def take(self, index: npt.NDArray[np.intp]) -> Sightings:
        """The sightings at `index`, in that order."""
        return Sightings(
            self.boxes[index],
            self.scores[index],
            self.foot_px[index],
            self.height_px[index],
            self.pixel_width_m[index],
            self.head_truncated[index],
            self.foot_occluded[index],
            self.left_truncated[index],
            self.right_truncated[index],
        )


def sightings_of(
    view: CameraView, boxes: Floats, scores: Floats, foot_px: Floats, pixel_width_m: Floats
) -> Sightings:
    """The boxes of one frame, with what is truncated by the picture's edge or occluded by other people."""
    left, top, right, bottom = boxes.T
    return Sightings(
        boxes=boxes,
        scores=scores,
        foot_px=foot_px,
        height_px=bottom - top,
        pixel_width_m=pixel_width_m,
        head_truncated=top <= EDGE_PX,
        foot_occluded=(bottom >= view.height_px - EDGE_PX) | feet_behind_others(boxes),
        left_truncated=left <= EDGE_PX,
        right_truncated=right >= view.width_px - EDGE_PX,
    )


def foot_of(boxes: Floats) -> Floats:
    """The middle of the lower edge, (n, 2) px, of boxes (n, 4)."""
    foot = np.empty((len(boxes), 2))
    foot[:, 0] = (boxes[:, 0] + boxes[:, 2]) / 2
    foot[:, 1] = boxes[:, 3]
    return foot


def feet_behind_others(boxes: Floats) -> Bools:
    """Which boxes (n, 4) have their lower end covered by a person standing nearer to the camera.

    Nearer is who stands lower in the picture.
    """
    if len(boxes) < 2:
        return np.zeros(len(boxes), dtype=np.bool_)
    left, top, right, bottom = boxes.T
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    ankle = bottom - 0.1 * (bottom - top)
    covers = across > (COVERED_SHARE * (right - left))[:, None]
    covers &= bottom > bottom[:, None]
    covers &= top < ankle[:, None]
    covered: Bools = np.logical_or.reduce(covers, axis=1)
    return covered


def box_iou(boxes: npt.ArrayLike, others: npt.ArrayLike) -> Floats:
    """Intersection over union (n, m) of boxes (n, 4) with others (m, 4), all left, top, right, bottom."""
    a, b = np.asarray(boxes, dtype=np.float64), np.asarray(others, dtype=np.float64)
    size_a, size_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    shared_size = np.minimum(a[:, None, 2:], b[:, 2:])
    shared_size -= np.maximum(a[:, None, :2], b[:, :2])
    np.maximum(shared_size, 0, out=shared_size)
    shared: Floats = shared_size[..., 0] * shared_size[..., 1]
    area = (size_a[:, 0] * size_a[:, 1])[:, None] + size_b[:, 0] * size_b[:, 1]
    area -= shared
    shared /= np.maximum(area, 1e-9, out=area)
    return shared


def without_duplicates(boxes: Floats, scores: Floats, iou: float) -> Bools:
    """Which boxes (n, 4) to keep so that no two overlap by more than `iou`: the better one stays."""
    kept = np.ones(len(boxes), dtype=np.bool_)
    rivals = box_iou(boxes, boxes) > iou
    if np.count_nonzero(rivals) <= len(boxes):
        return kept
    np.fill_diagonal(rivals, False)
    crowded = np.logical_or.reduce(rivals, axis=1).nonzero()[0]
    for row in crowded[np.argsort(-scores[crowded], kind="stable")]:
        if kept[row]:
            kept[rivals[row] & (scores <= scores[row])] = False
    return kept
