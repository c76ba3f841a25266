"""How long people take from where one camera loses them to where another sees them, learned without labels.

Links that place, time and looks make are counted, each by its probability, by pair of cameras and by time on
a logarithmic scale; old counts fade. What a time and a pair of cameras then say is the ratio of their share
to what it would be if neither said anything of the other, tempered by how much was seen: a shop's first hours
say next to nothing, so that little data makes nothing worse.
"""

from __future__ import annotations

import math

import numpy as np

CLIP = 2.0
"""Transit never says more than this, in nats, nor less."""
TEMPER = 300.0
"""Links after which what they say has half its weight."""
SMOOTH = 4.0
"""As if so many links had said nothing, in each camera's count."""
MEMORY = 0.9995
FIRST_S, BINS = 1.0, 24
"""Times up to FIRST_S share a bin; from then on two bins double the time."""


class TransitTimes:
    """Soft counts of links by camera of exit, camera of entry and time between."""

    def __init__(self, cameras: int = 64) -> None:
        self._most = cameras
        self._place: dict[str, int] = {}
        self._counts = np.zeros((0, 0, BINS))
        self._sum()

    def learn(self, leaving: str, entering: str, gap_s: float, probability: float) -> None:
        """Count a link by how probable it is."""
        one, other = self._at(leaving), self._at(entering)
        if one is None or other is None:
            return
        self._counts *= MEMORY
        self._counts[one, other, _bin(gap_s)] += probability
        self._sum()

    def ratio(self, leaving: str, entering: str, gap_s: float) -> float:
        """Log ratio of this pair and time to what they would be by chance; 0 where little was seen."""
        one, other = self._place.get(leaving), self._place.get(entering)
        if one is None or other is None or self._total <= 0:
            return 0.0
        at = _bin(gap_s)
        chance = (self._entering[other] + 1.0) / (self._total + len(self._place))
        chance *= (self._times[at] + 1.0) / (self._total + BINS)
        seen = (_near(self._counts[one, other], at) + SMOOTH * chance) / (self._leaving[one] + SMOOTH)
        found = math.log(seen / chance) * self._total / (self._total + TEMPER)
        return float(max(-CLIP, min(CLIP, found)))

    def _sum(self) -> None:
        """The counts by camera of exit, by camera of entry and by time: every question needs them."""
        self._leaving: list[float] = self._counts.sum(axis=(1, 2)).tolist()
        self._entering: list[float] = self._counts.sum(axis=(0, 2)).tolist()
        self._times: list[float] = self._counts.sum(axis=(0, 1)).tolist()
        self._total = sum(self._leaving)

    def _at(self, camera: str) -> int | None:
        if camera not in self._place:
            if len(self._place) >= self._most:
                return None
            self._place[camera] = len(self._place)
            size = len(self._place)
            grown = np.zeros((size, size, BINS))
            grown[: size - 1, : size - 1] = self._counts
            self._counts = grown
            self._sum()
        return self._place[camera]


def _bin(gap_s: float) -> int:
    return min(BINS - 1, max(0, int(2 * math.log2(max(gap_s, FIRST_S) / FIRST_S)) + 1))


def _near(counts: np.ndarray[tuple[int, ...], np.dtype[np.float64]], place: int) -> float:
    """A count with half of its neighbours': times are not sharp."""
    beside = counts[max(0, place - 1)] * (place > 0) + counts[min(BINS - 1, place + 1)] * (place < BINS - 1)
    return float(0.5 * counts[place] + 0.25 * beside)
