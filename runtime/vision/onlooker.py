"""What else is seen of the people in a picture: how they look, and whether they handle goods.

Both are optional and cost time for every person: colours next to nothing, an embedding or the action net one
to two milliseconds each on a desktop core. Neither leaves the process but as the one number `handling`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engines.inference.action import ActionJudge
from engines.inference.detector import Detections
from engines.inference.reid import PersonEmbedder
from runtime.config import Engines
from runtime.geometry import Floats
from runtime.vision.track import Track, TrackerSettings
from runtime.vision.track.appearance import SIZE, colour_signatures

NONE, COLOURS = "none", "colours"

Image = npt.NDArray[np.uint8]


class Looks(Protocol):
    """How people look, as unit vectors whose dot product is their likeness."""

    @property
    def size(self) -> int:
        """Length of a vector."""

    def embed(self, image_bgr: Image, boxes: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Vectors (n, size) of boxes (n, 4) left, top, right, bottom px."""


class Colours:
    """The colours of upper and lower body."""

    size = SIZE

    def embed(self, image_bgr: Image, boxes: npt.ArrayLike) -> Floats:
        """Vectors (n, size) of boxes (n, 4) left, top, right, bottom px."""
        return colour_signatures(image_bgr, boxes)


class Onlooker:
    """Looks at the people whom the detector and the tracker have found. Used by one thread."""

    def __init__(self, looks: Looks | None = None, judge: ActionJudge | None = None) -> None:
        self._looks = looks
        self.judge = judge

    @property
    def idle(self) -> bool:
        """Whether there is nothing to look for, and no picture is needed."""
        return self._looks is None and self.judge is None

    @property
    def embedder(self) -> PersonEmbedder | None:
        """The network that says how people look, if it is one."""
        return self._looks if isinstance(self._looks, PersonEmbedder) else None

    @property
    def judges(self) -> bool:
        """Whether it is asked for who handles goods."""
        return self.judge is not None

    @property
    def appearance_size(self) -> int:
        """What the tracker is to be made with."""
        return 0 if self._looks is None else self._looks.size

    def appearances(
        self, image_bgr: Image, found: Detections, least_score: float = TrackerSettings.weak_score
    ) -> Floats | None:
        """How everybody in the picture looks (n, k), for the tracker; None where looks are not wanted.

        Boxes below `least_score`, which the tracker drops, are not looked at and have zeros.
        """
        if self._looks is None:
            return None
        vectors = np.zeros((len(found), self._looks.size))
        worth = found.scores >= least_score
        if worth.any():
            vectors[worth] = self._looks.embed(image_bgr, found.boxes[worth])
        return vectors

    def handling(self, image_bgr: Image, tracks: Iterable[Track]) -> dict[int, float]:
        """Probability of handling goods by track id, of confirmed people in sight; only those judged."""
        if self.judge is None:
            return {}
        seen = [track for track in tracks if track.id is not None and track.unseen_s == 0.0]
        if not seen:
            return {}
        corners = [
            (left, top, left + width, top + height) for left, top, width, height in (t.box for t in seen)
        ]
        values = self.judge.suspicion(image_bgr, corners).tolist()
        return {
            track.id: value
            for track, value in zip(seen, values, strict=True)
            if track.id is not None and not np.isnan(value)
        }


NOBODY = Onlooker()
"""Looks for nothing."""


def onlooker_for(engines: Engines, threads: int) -> Onlooker:
    """What `engines.appearance` and `engines.action` ask for. Raises EngineError."""
    looks: Looks | None = None
    if engines.appearance == COLOURS:
        looks = Colours()
    elif engines.appearance != NONE:
        looks = PersonEmbedder.open(engines.appearance, backend=engines.backend, threads=threads)
    judge = None
    if engines.action != NONE:
        judge = ActionJudge.open(engines.action, backend=engines.backend, threads=threads)
    return Onlooker(looks, judge)
