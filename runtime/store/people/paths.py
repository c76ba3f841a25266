"""Where every person was in the last minute, and how surely: flips are reported seconds after they happen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from runtime.geometry import Bools, Floats
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import Position

KEEP_S = 60.0
MAX_POSITIONS = 1200
"""Per person: a minute at 20 frames a second; the oldest go first."""
MAX_PERSONS = 512
SEEN_SIGMA_M = 0.2
"""Uncertainty of a foot point on a calibrated floor."""
BRIDGE_S = 5.0
"""A longer gap in a path is not bridged: nobody knows where the person was."""
COAST_S = 1.0
SEEN_WITHIN_S = 0.6
PRESENT_S = 2.0
"""Who was seen so lately is still on the floor."""
DRIFT_M_PER_S = 0.4


@dataclass(frozen=True)
class Whereabouts:
    """One person at the moments asked: places (n, 2) in metres, sigma (n,) in metres, and what is known.

    `known` is False where the person was not on the floor or their path has too long a gap; `bridged` where
    the place is interpolated over a gap or carried past an end. `handling` (n,) is nan where not judged.
    """

    person: int
    points: Floats
    sigma_m: Floats
    known: Bools
    bridged: Bools
    handling: Floats


class RecentPaths:
    """Leading positions of every person for `KEEP_S`."""

    def __init__(self) -> None:
        self._paths: dict[int, list[Position]] = {}

    def observe(self, points: Iterable[TrackPoint]) -> None:
        """Remember leading points."""
        for point in points:
            if not point.lead:
                continue
            path = self._paths.get(point.person)
            if path is None:
                if len(self._paths) >= MAX_PERSONS:
                    del self._paths[min(self._paths, key=lambda each: self._paths[each][-1].time_s)]
                path = self._paths[point.person] = []
            path.append(point.position)
            if len(path) > MAX_POSITIONS:
                del path[0]

    def join(self, person: int, into: int) -> None:
        """Two persons turned out to be one: where only the first was known, that is where both were."""
        path = self._paths.pop(person, [])
        known = self._paths.setdefault(into, path)
        if known is not path:
            known[:0] = [position for position in path if position.time_s < known[0].time_s]

    def forget(self, time_s: float) -> None:
        """Drop what is older than `KEEP_S`."""
        for person, path in list(self._paths.items()):
            keep = next(
                (at for at, position in enumerate(path) if position.time_s >= time_s - KEEP_S), len(path)
            )
            del path[:keep]
            if not path:
                del self._paths[person]

    def persons(self) -> frozenset[int]:
        """Everybody who was on the floor in the last `KEEP_S`."""
        return frozenset(self._paths)

    def present(self, time_s: float) -> list[tuple[int, Position]]:
        """Everybody who was seen within `PRESENT_S` of that time, and where last."""
        return [
            (person, path[-1])
            for person, path in self._paths.items()
            if time_s - path[-1].time_s <= PRESENT_S
        ]

    def whereabouts(self, times_s: Floats) -> list[Whereabouts]:
        """Every person who was, or may have been, on the floor at one of the times (n,), rising."""
        found = [
            _at(person, path, times_s)
            for person, path in self._paths.items()
            if path[0].time_s <= times_s[-1] + COAST_S and path[-1].time_s >= times_s[0] - COAST_S
        ]
        return [each for each in found if each.known.any()]


def _at(person: int, path: list[Position], times_s: Floats) -> Whereabouts:
    seen_s = np.array([position.time_s for position in path])
    x = np.interp(times_s, seen_s, [position.x_m for position in path])
    y = np.interp(times_s, seen_s, [position.y_m for position in path])
    handled = np.array([np.nan if position.handling is None else position.handling for position in path])
    after = np.clip(np.searchsorted(seen_s, times_s), 0, len(path) - 1)
    before = np.clip(after - 1, 0, len(path) - 1)
    past_end_s = np.maximum(times_s - seen_s[-1], seen_s[0] - times_s)
    inner = past_end_s <= 0
    gap_s = np.where(inner, seen_s[after] - seen_s[before], 0.0)
    away_s = np.where(
        inner, np.minimum(np.abs(times_s - seen_s[before]), np.abs(seen_s[after] - times_s)), past_end_s
    )
    nearest = np.where(np.abs(times_s - seen_s[before]) < np.abs(seen_s[after] - times_s), before, after)
    known: Bools = np.where(inner, gap_s <= BRIDGE_S, past_end_s <= COAST_S)
    bridged: Bools = known & (away_s > SEEN_WITHIN_S)
    sigma_m: Floats = np.hypot(SEEN_SIGMA_M, DRIFT_M_PER_S * away_s)
    return Whereabouts(person, np.stack([x, y], axis=1), sigma_m, known, bridged, handled[nearest])
