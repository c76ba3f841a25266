"""One frame's persons as tracker and store hear of them: by the GPU where it looked, else by the onlooker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.inference.detector import Detections
from runtime.geometry import Floats
from runtime.vision.onlooker import Image, Onlooker
from runtime.vision.track import Track, TrackerSettings
from runtime.vision.track.association import NO_MATCH, pair_up
from runtime.vision.track.view import box_iou

LEAST_OVERLAP = 0.5
"""A track whose box shares less than this with every detection (intersection over union) was not judged."""

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Told:
    """What networks on a GPU said of a frame's detections. None: they were not asked; nan: not looked at."""

    embeddings: Rows | None = None
    """(n, k), of length 1."""
    suspicions: Rows | None = None
    """(n,) in 0..1."""


UNTOLD = Told()


@dataclass(frozen=True)
class Seen:
    """The persons of a frame, and what was said of them."""

    found: Detections
    told: Told = UNTOLD


class Glance:
    """Asks the onlooker only for what the GPU has not told; the picture is fetched once, and only then."""

    def __init__(self, onlooker: Onlooker, seen: Seen, fetch: Callable[[], Image]) -> None:
        self._onlooker = onlooker
        self._found, self._told = seen.found, seen.told
        self._fetch = fetch
        self._fetched: Image | None = None

    def appearances(self, least_score: float = TrackerSettings.weak_score) -> Floats | None:
        """As `Onlooker.appearances`."""
        embeddings = self._told.embeddings
        if not self._onlooker.appearance_size:
            return None
        if embeddings is None:
            return self._onlooker.appearances(self._picture(), self._found, least_score)
        vectors = embeddings.astype(np.float64)
        worth = self._found.scores >= least_score
        vectors[~worth] = 0.0
        unknown = worth & np.isnan(vectors).any(1)
        if unknown.any():
            rest = Detections(self._found.boxes[unknown], self._found.scores[unknown])
            vectors[unknown] = self._onlooker.appearances(self._picture(), rest, least_score)
        return vectors

    def handling(self, tracks: Iterable[Track]) -> dict[int, float]:
        """As `Onlooker.handling`.

        The GPU has judged detections, the onlooker judges tracks, whose boxes are smoothed.
        """
        if not self._onlooker.judges:
            return {}
        seen = [track for track in tracks if track.id is not None and track.unseen_s == 0.0]
        told = self._told_of(seen)
        rest = [track for track in seen if track.id not in told]
        if rest:
            told |= self._onlooker.handling(self._picture(), rest)
        return told

    def _told_of(self, tracks: list[Track]) -> dict[int, float]:
        suspicions, boxes = self._told.suspicions, np.asarray(self._found.boxes, np.float64)
        if suspicions is None or not tracks or not len(boxes):
            return {}
        corners = np.array([track.box for track in tracks])
        corners[:, 2:] += corners[:, :2]
        overlap = np.nan_to_num(box_iou(corners, boxes))
        judged = (overlap >= LEAST_OVERLAP) & np.isfinite(suspicions)
        whose, which = pair_up(np.where(judged, 1.0 - overlap, NO_MATCH))
        return {
            track_id: float(suspicions[detection])
            for track, detection in zip(whose.tolist(), which.tolist(), strict=True)
            if (track_id := tracks[track].id) is not None
        }

    def _picture(self) -> Image:
        if self._fetched is None:
            self._fetched = self._fetch()
        return self._fetched
