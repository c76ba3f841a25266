"""The boxes of a frame that may be people, and where they are before it is known who they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.geometry import Bools, Floats
from runtime.vision.track.liveliness import Look
from runtime.vision.track.settings import TrackerSettings
from runtime.vision.track.stature import TypicalHeight, place
from runtime.vision.track.view import CameraView, Sightings, foot_of, sightings_of, without_duplicates

Rows = npt.NDArray[np.intp]
Life = Callable[[Rows], Floats]

UNKNOWN_HEIGHT_SD = 0.35
"""Relative spread of apparent heights without a floor."""

MIN_HEIGHT, MAX_HEIGHT = 0.4, 1.6
"""Shares of the typical height between which a box may be a person, on a floor."""


@dataclass(frozen=True)
class Candidates:
    """Arrays over the n boxes of a frame that may be people.

    `appearance` (n, k) or None, `life` the share of living change in the boxes of rows, if that is known,
    `floor` (n, 2) on the tracker's plane, `covariance` (n, 2, 2) of that, and `fully_visible` (n,).
    """

    seen: Sightings
    appearance: Floats | None
    life: Life | None
    floor: Floats
    covariance: Floats
    fully_visible: Bools


class CandidateFilter:
    """Leaves out boxes that cannot be people, and places the others on one camera's plane."""

    def __init__(self, settings: TrackerSettings, view: CameraView) -> None:
        self.plane = view.plane()
        self.has_floor = view.homography is not None
        self.typical = TypicalHeight(settings)
        self.height_sd = settings.person_height_sd if self.has_floor else UNKNOWN_HEIGHT_SD
        self._settings = settings
        self._view = view

    def candidates(
        self,
        boxes: npt.ArrayLike,
        scores: npt.ArrayLike,
        appearances: npt.ArrayLike | None,
        look: Look | None,
    ) -> Candidates:
        """Of boxes (n, 4) left, top, right, bottom px, scores (n,), appearances (n, k) and a look at the
        life in the boxes, if any."""
        box = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        score = np.asarray(scores, dtype=np.float64).reshape(-1)
        foot_px = foot_of(box)
        width_m = self.plane.pixel_width_m(foot_px)
        kept = self._plausible(box, score, width_m)
        seen = sightings_of(self._view, box[kept], score[kept], foot_px[kept], width_m[kept])
        if self.has_floor:
            height_m = np.full(len(seen.scores), self.typical.height_m)
        else:
            height_m = seen.height_px * seen.pixel_width_m
        height_sd = np.full(len(seen.scores), self.height_sd)
        floor, covariance, fully_visible = place(self.plane, self._settings, seen, height_m, height_sd)
        appearance = None if appearances is None else np.asarray(appearances, dtype=np.float64)[kept]
        life = None if look is None else lambda rows: look.shares(kept[rows])
        return Candidates(seen, appearance, life, floor, covariance, fully_visible)

    def _plausible(self, box: Floats, score: Floats, pixel_width_m: Floats) -> npt.NDArray[np.intp]:
        """The boxes that may be people: of some size, on the floor, of human height, and no duplicates."""
        size = box[:, 2:] - box[:, :2]
        plausible = score >= self._settings.weak_score
        plausible &= size.min(axis=1, initial=math.inf) > 1
        apparent_m = size[:, 1] * pixel_width_m
        most_m = MAX_HEIGHT * self.typical.height_m if self.has_floor else math.inf
        least_m = MIN_HEIGHT * self.typical.height_m if self.has_floor else 0.0
        plausible &= apparent_m > least_m
        plausible &= apparent_m < most_m
        index: npt.NDArray[np.intp] = plausible.nonzero()[0]
        return index[without_duplicates(box[index], score[index], self._settings.duplicate_iou)]
