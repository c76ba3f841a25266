"""When the pictures of a file were taken, by its stamps as far as these can be believed. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

UNEVEN = 2.5
"""How many times as long as the shortest step the longest must be for a file to be called uneven."""
ODD_STEP_S = 1.0
ODD_STEPS = 10
LEAST_STEP = 0.02
"""A step of less than this part of a picture is none."""
LONGEST_PAUSE_S = 86_400.0
"""Nobody records on after a longer pause in one file: it is the clock that was set."""
"""A step of more than the larger of one second and ten pictures is looked at twice."""


class FileTime:
    """Seconds since a file's first picture, always growing, out of stamps that may lie.

    A stamp is believed, be the pause before it ever so long, unless the stamps that follow say otherwise:
    where they go on from before it, it alone was wrong and its picture takes a step of their pace. Where they
    all lie before it, the file's clock was set (recordings joined together): time goes on by one picture's
    length.
    """

    def __init__(self, interval_s: float) -> None:
        """`interval_s` is how long a picture lasts as far as is known."""
        self.wrong = 0
        """Stamps so far that were left out."""
        self.clock_set = 0
        """How often the stamps went back for good, stood still or went on by more than a day."""
        self.missing = 0
        """Pictures without a stamp."""
        self.first_s: float | None = None
        """The stamp of the first picture."""
        self.count = 0
        """Pictures so far."""
        self.steps_s = (math.inf, 0.0)
        """The shortest and the longest step from one picture to the next."""
        self.interval_s = interval_s
        self._offset_s: float | None = None
        self._time_s = -interval_s

    @property
    def end_s(self) -> float:
        """When the last picture ends."""
        return self._time_s + self.interval_s

    @property
    def stamped(self) -> bool:
        """Whether any picture had a stamp."""
        return self._offset_s is not None

    @property
    def uneven(self) -> bool:
        """Whether pictures come at more than one rate, or with pauses."""
        least_s, most_s = self.steps_s
        return most_s > UNEVEN * max(least_s, self.interval_s / UNEVEN)

    def place(self, stamp_s: float | None, following: Callable[[], Sequence[float]] = tuple) -> float:
        """The time of the next picture, seconds; `following` gives the stamps of some that come after it."""
        before_s = self._time_s
        if stamp_s is None:
            self.missing += 1
            self._time_s += self.interval_s
        elif self._offset_s is None:
            self._time_s += self.interval_s
            self._offset_s = stamp_s - self._time_s
            self.first_s = stamp_s
        else:
            self._time_s = self._stamped(stamp_s - self._offset_s, self._offset_s, following)
        if self.count:
            step_s = self._time_s - before_s
            self.steps_s = min(self.steps_s[0], step_s), max(self.steps_s[1], step_s)
        self.count += 1
        return self._time_s

    def go_to(self, stamp_s: float) -> None:
        """The file was sought: the next picture is the one with this stamp."""
        if self._offset_s is None:
            self._offset_s = self.first_s = stamp_s
        self._time_s = stamp_s - self._offset_s - self.interval_s

    def _stamped(self, claimed_s: float, offset_s: float, following: Callable[[], Sequence[float]]) -> float:
        step_s = claimed_s - self._time_s
        least_s = LEAST_STEP * self.interval_s
        if least_s < step_s <= max(ODD_STEP_S, ODD_STEPS * self.interval_s):
            return claimed_s
        following_s = [stamp_s - offset_s for stamp_s in following()]
        from_s, to_s = self._time_s + least_s, math.inf if step_s <= least_s else claimed_s
        paces_s = [(s - self._time_s) / (k + 2) for k, s in enumerate(following_s) if from_s < s < to_s]
        if 2 * len(paces_s) >= max(1, len(following_s)):
            self.wrong += 1
            return self._time_s + min(self.interval_s, statistics.median(paces_s))
        if least_s < step_s <= LONGEST_PAUSE_S:
            return claimed_s
        self.clock_set += 1
        placed_s = self._time_s + self.interval_s
        self._offset_s = offset_s + claimed_s - placed_s
        return placed_s
