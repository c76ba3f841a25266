"""Two people who pass each other before one camera: did the tracker switch their numbers?

When two persons come together, where each would be if they walked on is noted. Once they should be apart
again, their tracks are compared with that: if each is where the *other* was expected, the numbers were
switched. People who stop and turn back are late for either place, and are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import hypot
from typing import NamedTuple

import numpy as np

from runtime.store.people.motion import Point, RecentMotion

TOGETHER_M = 1.5
APART_M = 2.0
THERE_M = 0.45
"""How near to where they were expected both must be to be taken for the other."""
LONGEST_S = 2.5
"""An encounter that takes longer is no passing by."""
WALKING_M_PER_S = 0.6
CLOSING_M_PER_S = 1.2
SPREAD_M, SPREAD_M_PER_S = 0.25, 0.2
"""Standard deviation of where a person is expected: at once, and added with every second."""
SURE = 4.0
"""Log-likelihood ratio from which numbers are taken as switched."""
MAX_ENCOUNTERS = 256


@dataclass(frozen=True)
class _Heading:
    """Where one person was and how they walked when the encounter began."""

    at: Point
    velocity: Point

    def after(self, seconds: float) -> Point:
        return self.at[0] + self.velocity[0] * seconds, self.at[1] + self.velocity[1] * seconds


@dataclass(frozen=True)
class _Encounter:
    begun_s: float
    one: _Heading
    other: _Heading


class IdSwitch(NamedTuple):
    """Two persons who had each other's tracks since their encounter began."""

    one: int
    other: int
    since_s: float


class IdSwitches:
    """Open encounters before one camera; at `MAX_ENCOUNTERS` no further ones are watched."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], _Encounter] = {}

    def observe(
        self, time_s: float, present: Iterable[int], motions: Mapping[int, RecentMotion]
    ) -> list[IdSwitch]:
        """Pairs of persons whose tracks were switched, reported once; `present` are those of this frame."""
        switched = []
        for pair in self._pairs(sorted(present), motions):
            one, other = motions[pair[0]], motions[pair[1]]
            encounter = self._open.get(pair)
            if encounter is None:
                self._begin(pair, time_s, one, other)
            elif _should_be_apart(encounter, time_s):
                del self._open[pair]
                if _switch_likelihood(encounter, time_s, one, other) > SURE:
                    switched.append(IdSwitch(*pair, encounter.begun_s))
        self._open = {
            pair: encounter
            for pair, encounter in self._open.items()
            if time_s - encounter.begun_s <= LONGEST_S
        }
        return switched

    def _pairs(self, present: list[int], motions: Mapping[int, RecentMotion]) -> list[tuple[int, int]]:
        """Those of `present` who are together or have met: of a crowd, few pairs are either."""
        places = np.array([motions[number].last[1:3] for number in present], float).reshape(-1, 2)
        apart = places[:, None] - places[None]
        near = np.triu((apart * apart).sum(axis=2) <= TOGETHER_M**2, 1)
        pairs = {(present[row], present[column]) for row, column in np.argwhere(near).tolist()}
        here = set(present)
        return sorted(pairs.union(pair for pair in self._open if here.issuperset(pair)))

    def _begin(self, pair: tuple[int, int], time_s: float, one: RecentMotion, other: RecentMotion) -> None:
        first, second = _heading(one), _heading(other)
        if first is None or second is None or len(self._open) >= MAX_ENCOUNTERS:
            return
        if _closing(first, second) >= CLOSING_M_PER_S:
            self._open[pair] = _Encounter(time_s, first, second)


def _heading(motion: RecentMotion) -> _Heading | None:
    velocity = motion.velocity()
    if velocity is None or hypot(*velocity) < WALKING_M_PER_S:
        return None
    return _Heading((motion.last.x_m, motion.last.y_m), velocity)


def _closing(one: _Heading, other: _Heading) -> float:
    """How fast two persons come closer, m/s."""
    apart = (other.at[0] - one.at[0], other.at[1] - one.at[1])
    against = (other.velocity[0] - one.velocity[0], other.velocity[1] - one.velocity[1])
    return -(apart[0] * against[0] + apart[1] * against[1]) / max(hypot(*apart), 1e-6)


def _should_be_apart(encounter: _Encounter, time_s: float) -> bool:
    """Whether the two, had they walked on, have passed each other and are apart again."""
    elapsed_s = time_s - encounter.begun_s
    one = _Heading(encounter.one.after(elapsed_s), encounter.one.velocity)
    other = _Heading(encounter.other.after(elapsed_s), encounter.other.velocity)
    return _closing(one, other) < 0 and _apart(one.at, other.at) > APART_M


def _switch_likelihood(encounter: _Encounter, time_s: float, one: RecentMotion, other: RecentMotion) -> float:
    """Log-likelihood ratio of "numbers switched" against "walked on"; 0 if a switch explains nothing."""
    elapsed_s = time_s - encounter.begun_s
    expected, expected_other = encounter.one.after(elapsed_s), encounter.other.after(elapsed_s)
    at, at_other = (one.last.x_m, one.last.y_m), (other.last.x_m, other.last.y_m)
    sigma_m = SPREAD_M + SPREAD_M_PER_S * elapsed_s
    kept = _apart(at, expected) ** 2 + _apart(at_other, expected_other) ** 2
    swapped = _apart(at, expected_other), _apart(at_other, expected)
    if max(swapped) > THERE_M:
        return 0.0
    return (kept - swapped[0] ** 2 - swapped[1] ** 2) / (2 * sigma_m**2)


def _apart(one: Point, other: Point) -> float:
    return hypot(one[0] - other[0], one[1] - other[1])
