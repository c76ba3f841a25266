"""A way over the floor: corners rounded, and how fast somebody goes along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDING = 4
"""Chaikin's corner cutting, so many times."""
ACCELERATION_MPS2 = 1.4


@dataclass(frozen=True)
class SmoothPath:
    """A smooth line: points (n, 2) in metres and the length to each, (n,)."""

    points_m: Floats
    lengths_m: Floats

    @classmethod
    def through(cls, corners: Sequence[tuple[float, float]]) -> SmoothPath:
        """From the first corner to the last; those between are cut."""
        points = np.asarray(corners, np.float64)
        points = points[np.r_[True, np.linalg.norm(np.diff(points, axis=0), axis=1) > 1e-6]]
        for _ in range(ROUNDING if len(points) > 2 else 0):
            before, after = points[:-1], points[1:]
            cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], 1).reshape(-1, 2)
            points = np.concatenate([points[:1], cut[1:-1], points[-1:]])
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        return cls(points, np.concatenate([[0.0], np.cumsum(steps)]))

    @property
    def length_m(self) -> float:
        return float(self.lengths_m[-1])

    def at(self, along_m: float) -> Floats:
        """The point (2,) so far along."""
        return np.array([np.interp(along_m, self.lengths_m, self.points_m[:, axis]) for axis in (0, 1)])

    def heading_rad(self, along_m: float) -> float:
        """The direction there, over 0.3 m."""
        ahead = self.at(min(along_m + 0.15, self.length_m)) - self.at(max(along_m - 0.15, 0.0))
        return math.atan2(ahead[1], ahead[0])


@dataclass(frozen=True)
class Pace:
    """Speeding up, going, slowing down: the length gone at a time."""

    length_m: float
    speed_mps: float

    @property
    def _ramp_s(self) -> float:
        if self.length_m < self.speed_mps**2 / ACCELERATION_MPS2:
            return math.sqrt(self.length_m / ACCELERATION_MPS2)
        return self.speed_mps / ACCELERATION_MPS2

    @property
    def seconds(self) -> float:
        """How long it takes."""
        ramp_s = self._ramp_s
        return 2 * ramp_s + (self.length_m - ACCELERATION_MPS2 * ramp_s**2) / self.speed_mps

    def gone_m(self, time_s: float) -> float:
        """The length gone after `time_s`."""
        total_s, ramp_s = self.seconds, self._ramp_s
        time_s = min(max(time_s, 0.0), total_s)
        top_mps = ACCELERATION_MPS2 * ramp_s
        if time_s < ramp_s:
            return 0.5 * ACCELERATION_MPS2 * time_s**2
        if time_s > total_s - ramp_s:
            return self.length_m - 0.5 * ACCELERATION_MPS2 * (total_s - time_s) ** 2
        return 0.5 * ACCELERATION_MPS2 * ramp_s**2 + top_mps * (time_s - ramp_s)


def turned(from_rad: float, to_rad: float) -> float:
    """The shorter turn from one direction to another, -pi to pi."""
    return (to_rad - from_rad + math.pi) % (2 * math.pi) - math.pi


def smooth(share: float) -> float:
    """0 to 1 with level ends."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)
