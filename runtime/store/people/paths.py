"""Where every walker was in the last minute, and how surely: flips are told seconds after they happen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from runtime.geometry import Bools, Floats
from runtime.store.people.identity import Step
from runtime.store.people.motion import Fix

KEEP_S = 60.0
MAX_FIXES = 1200
"""Per walker: a minute at 20 frames a second; the oldest go first."""
MAX_WALKERS = 512
SEEN_SIGMA_M = 0.2
"""Uncertainty of a foot point on a calibrated floor."""
BRIDGE_S = 5.0
"""A longer gap in a path is not bridged: nobody knows where the person was."""
COAST_S = 1.0
SEEN_WITHIN_S = 0.6
DRIFT_M_PER_S = 0.4


@dataclass(frozen=True)
class Whereabouts:
    """One walker at the moments asked: places (n, 2) in metres, sigma (n,) in metres, and what is known.

    `known` is False where the walker was not on the floor or their path has too long a gap; `bridged` where
    the place is interpolated over a gap or carried past an end. `handling` (n,) is nan where not judged.
    """

    walker: int
    points: Floats
    sigma_m: Floats
    known: Bools
    bridged: Bools
    handling: Floats


class Paths:
    """Leading fixes of every walker for `KEEP_S`."""

    def __init__(self) -> None:
        self._paths: dict[int, list[Fix]] = {}

    def observe(self, steps: Iterable[Step]) -> None:
        """Remember leading steps."""
        for step in steps:
            if not step.lead:
                continue
            path = self._paths.get(step.walker)
            if path is None:
                if len(self._paths) >= MAX_WALKERS:
                    del self._paths[min(self._paths, key=lambda each: self._paths[each][-1].time_s)]
                path = self._paths[step.walker] = []
            path.append(step.fix)
            if len(path) > MAX_FIXES:
                del path[0]

    def forget(self, time_s: float) -> None:
        """Drop what is older than `KEEP_S`."""
        for walker, path in list(self._paths.items()):
            keep = next((at for at, fix in enumerate(path) if fix.time_s >= time_s - KEEP_S), len(path))
            del path[:keep]
            if not path:
                del self._paths[walker]

    def walkers(self) -> frozenset[int]:
        """Everybody who was on the floor in the last `KEEP_S`."""
        return frozenset(self._paths)

    def whereabouts(self, times_s: Floats) -> list[Whereabouts]:
        """Every walker who was, or may have been, on the floor at one of the times (n,), rising."""
        found = [
            _at(walker, path, times_s)
            for walker, path in self._paths.items()
            if path[0].time_s <= times_s[-1] + COAST_S and path[-1].time_s >= times_s[0] - COAST_S
        ]
        return [each for each in found if each.known.any()]


def _at(walker: int, path: list[Fix], times_s: Floats) -> Whereabouts:
    seen_s = np.array([fix.time_s for fix in path])
    x = np.interp(times_s, seen_s, [fix.x_m for fix in path])
    y = np.interp(times_s, seen_s, [fix.y_m for fix in path])
    handled = np.array([np.nan if fix.handling is None else fix.handling for fix in path])
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
    return Whereabouts(walker, np.stack([x, y], axis=1), sigma_m, known, bridged, handled[nearest])
