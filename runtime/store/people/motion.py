"""The last seconds of one person: where they were, how fast they walk, where to expect them."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import NamedTuple, TypeAlias

Point: TypeAlias = tuple[float, float]

KEEP_S = 3.0
MAX_POSITIONS = 128
VELOCITY_SPAN_S = 0.8
MIN_SPAN_S = 0.25
COASTING_S = 2.0
"""Time constant with which a lost person is thought to slow down."""


class Position(NamedTuple):
    """One place at one time; `handling` is the probability of handling goods, None if not judged."""

    time_s: float
    x_m: float
    y_m: float
    handling: float | None = None


class RecentMotion:
    """At most `KEEP_S` seconds and `MAX_POSITIONS` positions, the oldest dropped first."""

    def __init__(self) -> None:
        self._positions: list[Position] = []
        self._velocity: Point | None = None
        self._is_known = False
        """Whether the velocity was worked out since the last position: in a crowd it is asked for often."""

    @property
    def last(self) -> Position:
        return self._positions[-1]

    def add(self, position: Position) -> bool:
        """Append a position; False, and nothing changes, if it is not later than the last one."""
        if self._positions and position.time_s <= self._positions[-1].time_s:
            return False
        self._positions.append(position)
        self._is_known = False
        keep = bisect_left(self._positions, position.time_s - KEEP_S, key=lambda each: each.time_s)
        del self._positions[: max(keep, len(self._positions) - MAX_POSITIONS)]
        return True

    def since(self, time_s: float) -> list[Position]:
        """The remembered positions from `time_s` on."""
        return self._positions[bisect_left(self._positions, time_s, key=lambda each: each.time_s) :]

    def copy(self) -> RecentMotion:
        """The same positions, to go on by themselves."""
        twin = RecentMotion()
        twin._positions = list(self._positions)
        return twin

    def velocity(self) -> Point | None:
        """Metres per second by least squares over the last `VELOCITY_SPAN_S`; None from too short a time."""
        if not self._is_known:
            begin_s = self.last.time_s - VELOCITY_SPAN_S
            recent = [position for position in self._positions if position.time_s >= begin_s]
            if len(recent) < 2 and len(self._positions) >= 2:
                recent = self._positions[-2:]
            self._velocity, self._is_known = slope(recent), True
        return self._velocity

    def expected(self, ahead_s: float) -> Point:
        """Where the person is expected `ahead_s` after the last position: coasting to a halt."""
        vx, vy = self.velocity() or (0.0, 0.0)
        carried_s = COASTING_S * (1.0 - math.exp(-ahead_s / COASTING_S))
        return self.last.x_m + vx * carried_s, self.last.y_m + vy * carried_s

    def at(self, time_s: float, tolerance_s: float) -> Point | None:
        """Place at `time_s` between positions, or expected up to `tolerance_s` past the ends, else None."""
        if not self._positions:
            return None
        first, last = self._positions[0], self._positions[-1]
        if time_s > last.time_s:
            return self.expected(time_s - last.time_s) if time_s - last.time_s <= tolerance_s else None
        if time_s < first.time_s:
            return (first.x_m, first.y_m) if first.time_s - time_s <= tolerance_s else None
        index = bisect_left(self._positions, time_s, key=lambda position: position.time_s)
        return between(self._positions[max(index - 1, 0)], self._positions[index], time_s)


def slope(positions: list[Position]) -> Point | None:
    """Mean velocity of positions by least squares; None if they span less than `MIN_SPAN_S`."""
    count = len(positions)
    if count < 2 or positions[-1].time_s - positions[0].time_s < MIN_SPAN_S:
        return None
    middle_s = sum([position.time_s for position in positions]) / count
    spread = along_x = along_y = 0.0
    for time_s, x_m, y_m, _ in positions:
        off_s = time_s - middle_s
        spread += off_s * off_s
        along_x += off_s * x_m
        along_y += off_s * y_m
    return along_x / spread, along_y / spread


def between(before: Position, after: Position, time_s: float) -> Point:
    """The place on the straight way from one position to the other."""
    span_s = after.time_s - before.time_s
    share = (time_s - before.time_s) / span_s if span_s > 0 else 1.0
    return (
        before.x_m + share * (after.x_m - before.x_m),
        before.y_m + share * (after.y_m - before.y_m),
    )
