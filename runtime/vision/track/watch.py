"""One camera's people, and which of its frames the detector has to look at.

A detector's boxes of two frames that follow on each other within less than a tenth of a second have the same
errors: looking at both tells no more, and costs as much again. So a frame is looked at where somebody new may
be there (`BUSY_S`), where known people have walked on for a while (`CALM_S`), or, where nobody is, once
something in the picture has changed and now and then (`EMPTY_S`); in the frames between people are where they
are expected. A camera that sends fewer frames than that has all of them looked at.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from runtime.vision.track.liveliness import Liveliness
from runtime.vision.track.people import Track
from runtime.vision.track.scene import Occupation
from runtime.vision.track.tracker import FloorTracker

BUSY_S, CALM_S, EMPTY_S = 0.1, 0.175, 1.0
"""About the longest time between two looks, by what the last one showed; of 10 frames a second every second
is looked at where people are known."""

WITHIN_S = {Occupation.BUSY: BUSY_S, Occupation.CALM: CALM_S, Occupation.EMPTY: EMPTY_S}

LATE = 1 / 3
"""A look may be later by this share of the time between two frames, which come unevenly."""


class SceneWatch:
    """Feed every frame in order of time: ask `wants`, then `see` what the detector found or `follow`.

    `ended` holds the ids that ended with the last frame.
    """

    def __init__(self, tracker: FloorTracker) -> None:
        self.tracker = tracker
        self.ended: tuple[int, ...] = ()
        self._liveliness = Liveliness()
        self._looked_s = self._frame_s = -math.inf

    def wants(self, image: npt.NDArray[np.uint8], time_s: float) -> bool:
        """Whether the detector has to look at the frame of `time_s`: (height, width, 3) BGR, or grey."""
        interval_s, self._frame_s = time_s - self._frame_s, time_s
        waited_s = time_s - self._looked_s
        if not (0 < interval_s < math.inf and waited_s > 0):
            return True
        scene = self.tracker.scene
        if waited_s + (1 - LATE) * interval_s > WITHIN_S[scene]:
            return True
        return scene is Occupation.EMPTY and self._liveliness.has_changed(image, time_s)

    def see(
        self,
        image: npt.NDArray[np.uint8],
        boxes: npt.ArrayLike,
        scores: npt.ArrayLike,
        time_s: float,
        appearances: npt.ArrayLike | None = None,
    ) -> list[Track]:
        """The people of a frame that the detector looked at, as `FloorTracker.update` has it.

        `image` may be a smaller copy of the picture, in whose pixels the boxes are.
        """
        scale = image.shape[1] / self.tracker.view.width_px
        shown = boxes if scale == 1.0 else np.asarray(boxes, dtype=np.float64) * scale
        look = self._liveliness.look(image, shown, scores, time_s)
        tracks = self.tracker.update(boxes, scores, time_s, appearances, look)
        self._looked_s = self._frame_s = time_s
        self.ended = self.tracker.ended
        return tracks

    def follow(self, time_s: float) -> list[Track]:
        """The people of a frame that was not looked at, where they are expected."""
        self.ended = ()
        return self.tracker.expected(time_s)
