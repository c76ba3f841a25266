"""Is the picture black, or does it stand still? Pure: samples and times in, a finding out.

A sample is every sixteenth pixel of every sixteenth row. A lens cap or a dead sensor gives a dark picture
without contrast. A camera that repeats one picture gives samples that are equal to the bit; a real sensor's
noise never does, for long.
"""

from __future__ import annotations

import math
from enum import Enum

import numpy as np

from runtime.frames.ring.buffer import Image

STEP_PX = 16
EVERY_S = 0.15
"""Both take seconds to be found: pictures that come sooner after one that was judged are not looked at."""


class StreamFinding(Enum):
    """What the watch makes of the picture."""

    FINE = "fine"
    BLACK = "black"
    FROZEN = "frozen"


class FrameWatch:
    """Judges the pictures of one camera.

    Black: mean below `black_level` and standard deviation below `black_spread` (of 0..255) for
    `black_after_s`. Frozen: no sample differs from the one before for `frozen_after_s`.
    """

    def __init__(
        self,
        black_after_s: float = 2.0,
        frozen_after_s: float = 20.0,
        black_level: float = 20.0,
        black_spread: float = 5.0,
    ) -> None:
        self._black_after_s = black_after_s
        self._frozen_after_s = frozen_after_s
        self._black_level = black_level
        self._black_spread = black_spread
        self._last: Image | None = None
        self._judged_s = -math.inf
        self._found = StreamFinding.FINE
        self._black_since_s: float | None = None
        self._same_since_s: float | None = None

    def look(self, image: Image, time_s: float) -> StreamFinding:
        """Judge one picture, BGR (height, width, 3) or luma (height, width), taken at `time_s`."""
        if 0.0 <= time_s - self._judged_s < EVERY_S:
            return self._found
        self._judged_s = time_s
        self._found = self._judge(image, time_s)
        return self._found

    def _judge(self, image: Image, time_s: float) -> StreamFinding:
        sample = image[::STEP_PX, ::STEP_PX].copy()
        dark = float(sample.mean()) < self._black_level and float(sample.std()) < self._black_spread
        same = self._last is not None and np.array_equal(sample, self._last)
        self._last = sample
        self._black_since_s = _since(dark, self._black_since_s, time_s)
        self._same_since_s = _since(same, self._same_since_s, time_s)
        if _for_long(self._black_since_s, time_s, self._black_after_s):
            return StreamFinding.BLACK
        if _for_long(self._same_since_s, time_s, self._frozen_after_s):
            return StreamFinding.FROZEN
        return StreamFinding.FINE


def _since(holds: bool, since_s: float | None, time_s: float) -> float | None:
    if not holds:
        return None
    return time_s if since_s is None else since_s


def _for_long(since_s: float | None, time_s: float, limit_s: float) -> bool:
    return since_s is not None and time_s - since_s >= limit_s
