"""Persons through an entrance: a foot point that settles on the other side of a line, through the segment.

A side counts only beyond `HYSTERESIS_M` from the line for `SETTLE_S`, or beyond `SURE_M` at once, so jitter
and lingering on the line count nothing, and neither does a U-turn within it. A crossing counts if the path
between the two settled sides cuts the segment itself, not its extension; one long step does as well as many
short ones. Direction is from the entrance's inside point.

A track may begin or end at the line (the line lies at the picture's edge, or tracking lost the person there).
It then counts as *inferred* if the person's own motion leads across the line within `REACH_S` and `REACH_M`
and the camera was watching at that time. If a walker whose leaving was inferred is found again on the old
side, the crossing is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from runtime.store.coverage import CoverageMeter
from runtime.store.floorplan import Entrance
from runtime.store.identity import Source, Step
from runtime.store.sameness import MEMORY_S

Direction = Literal["in", "out"]

HYSTERESIS_M = 0.25
SETTLE_S = 0.3
SURE_M = 0.5
END_TOLERANCE_M = 0.15
"""Foot points are no better than this, so the segment is taken as this much longer at each end."""
REACH_S, REACH_M = 1.0, 1.2
WALKING_M_PER_S = 0.4
STARTING_S = 0.6
"""How much of a track's beginning tells where it came from."""
ENDING_S = 0.8
LOST_S = 3.0
"""Unseen for this long, a walker counts as gone."""
SURELY_ACROSS_M = 0.1
TAKEOVER_S = 0.5
MAX_WALKERS = 1024


@dataclass(frozen=True)
class Crossing:
    """One person through one entrance. `retracted` takes back an earlier, inferred crossing."""

    entrance: str
    walker: int
    direction: Direction
    time_s: float
    inferred: bool = False
    retracted: bool = False


@dataclass(frozen=True)
class _Stand:
    """Where a walker stands relative to the line: depth behind it, place along it in metres."""

    time_s: float
    depth_m: float
    along_m: float


@dataclass
class _Passage:
    """What one walker has done at one entrance."""

    source: Source
    stands: list[_Stand] = field(default_factory=list)
    starting: list[_Stand] = field(default_factory=list)
    came_from_judged: bool = False
    settled: int = 0
    leaning: int = 0
    leaning_since_s: float = 0.0
    cut: _Stand | None = None
    inferred: Crossing | None = None
    gone: bool = False


class EntranceCounter:
    """Counts one entrance; `coverage` says since when and until when its cameras have been watching.

    `already_here` are walkers who were on the floor before the line was drawn: they did not come through it.
    """

    def __init__(
        self, entrance: Entrance, coverage: CoverageMeter, already_here: frozenset[int] = frozenset()
    ) -> None:
        self.entrance = entrance
        self._already_here = already_here
        self._coverage = coverage
        self._passages: dict[int, _Passage] = {}
        self._margin_m = END_TOLERANCE_M

    def observe(self, steps: Iterable[Step]) -> list[Crossing]:
        """Crossings that these steps complete."""
        mine = [step for step in steps if self._counts(step)]
        if not mine:
            return []
        found: list[Crossing] = []
        for step in mine:
            depth_m, along_m = self.entrance.stand(step.fix.x_m, step.fix.y_m)
            found += self._stand(step, _Stand(step.fix.time_s, depth_m, along_m))
        return found

    def advance(self, time_s: float, patience_s: float = LOST_S) -> list[Crossing]:
        """Crossings of walkers who were lost at the line `patience_s` ago; forgets those lost for long."""
        found: list[Crossing] = []
        for walker, passage in list(self._passages.items()):
            watched_s = self._coverage.watched_until(passage.source[0], time_s)
            unseen_s = watched_s - passage.stands[-1].time_s
            if unseen_s >= MEMORY_S:
                del self._passages[walker]
            elif unseen_s >= patience_s and not passage.gone:
                passage.gone = True
                found += self._judge_end(walker, passage)
        return found

    def _counts(self, step: Step) -> bool:
        return not self.entrance.cameras or step.source[0] in self.entrance.cameras

    def _stand(self, step: Step, stand: _Stand) -> list[Crossing]:
        passage = self._passages.get(step.walker)
        if passage is None:
            if len(self._passages) >= MAX_WALKERS:
                del self._passages[next(iter(self._passages))]
            here = step.walker in self._already_here
            passage = self._passages[step.walker] = _Passage(step.source, came_from_judged=here)
        if not self._takes(passage, step.source, stand):
            return []
        found = self._returned(passage, stand)
        if passage.stands:
            passage.cut = _cut(passage.stands[-1], stand) or passage.cut
        self._remember(passage, stand)
        side = _settles(passage, stand)
        if side and passage.settled and side != passage.settled:
            found += self._crossed(step.walker, passage, side)
        if side:
            passage.settled = side
        return found + self._judge_start(step.walker, passage)

    @staticmethod
    def _takes(passage: _Passage, source: Source, stand: _Stand) -> bool:
        """One source at a time tells where a walker stands: two cameras disagree by decimetres."""
        if not passage.stands:
            return True
        last_s = passage.stands[-1].time_s
        if stand.time_s <= last_s:
            return False
        same_camera = source[0] == passage.source[0]
        if source != passage.source and not same_camera and stand.time_s - last_s < TAKEOVER_S:
            return False
        passage.source = source
        return True

    @staticmethod
    def _remember(passage: _Passage, stand: _Stand) -> None:
        passage.stands.append(stand)
        keep_s = stand.time_s - ENDING_S
        while len(passage.stands) > 2 and passage.stands[0].time_s < keep_s:
            passage.stands.pop(0)
        if not passage.came_from_judged:
            passage.starting.append(stand)

    @staticmethod
    def _returned(passage: _Passage, stand: _Stand) -> list[Crossing]:
        """Takes an inferred leaving back when the walker is found on the side they were lost on."""
        passage.gone = False
        inferred, passage.inferred = passage.inferred, None
        if inferred is None:
            return []
        side = _side(stand.depth_m)
        if side == (1 if inferred.direction == "in" else -1):
            return []
        passage.settled = -1 if inferred.direction == "in" else 1
        return [replace(inferred, retracted=True)]

    def _crossed(self, walker: int, passage: _Passage, side: int) -> list[Crossing]:
        passage.came_from_judged = True
        cut = passage.cut
        if cut is None or not self._within(cut.along_m):
            return []
        return [Crossing(self.entrance.name, walker, _direction(side), cut.time_s)]

    def _within(self, along_m: float) -> bool:
        return -self._margin_m <= along_m <= self.entrance.length_m + self._margin_m

    def _judge_start(self, walker: int, passage: _Passage) -> list[Crossing]:
        """Whether a track that began at the line came through it."""
        born, now = passage.starting[0] if passage.starting else None, passage.stands[-1]
        if passage.came_from_judged or not passage.settled or born is None:
            return []
        if now.time_s - born.time_s < STARTING_S:
            return []
        passage.came_from_judged = True
        starting, passage.starting = passage.starting, []
        side = passage.settled
        begun_m = side * born.depth_m
        if begun_m < -SURELY_ACROSS_M and passage.cut is not None:
            seen = self._within(passage.cut.along_m)
            return [self._found(walker, side, passage.cut.time_s, False)] if seen else []
        speed, drift = _pace(starting)
        ago_s = self._away_s(born, side * speed, begun_m, -drift)
        if ago_s is None or born.time_s - ago_s < self._coverage.seen_since(passage.source[0]):
            return []
        return [self._found(walker, side, born.time_s - ago_s, True)]

    def _judge_end(self, walker: int, passage: _Passage) -> list[Crossing]:
        """Whether a track that ended at the line went through it."""
        if not passage.settled:
            return []
        last, side = passage.stands[-1], -passage.settled
        speed, drift = _pace(passage.stands)
        ahead_s = self._away_s(last, side * speed, -side * last.depth_m, drift)
        if ahead_s is None:
            return []
        passage.settled = side
        passage.inferred = self._found(walker, side, last.time_s + ahead_s, True)
        return [passage.inferred]

    def _away_s(self, stand: _Stand, speed: float, distance_m: float, drift: float) -> float | None:
        """Seconds of walking between a stand and the line, 0 if it is past it; None if not led through it.

        `speed` is along the normal and `drift` along the line, both in the sense in which time is followed
        (towards the past where a track began, towards the future where it ended).
        """
        if speed < WALKING_M_PER_S or distance_m > min(REACH_M, speed * REACH_S):
            return None
        away_s = max(distance_m, 0.0) / speed
        if not self._within(stand.along_m + drift * away_s):
            return None
        return away_s

    def _found(self, walker: int, side: int, time_s: float, inferred: bool) -> Crossing:
        return Crossing(self.entrance.name, walker, _direction(side), time_s, inferred)


def _settles(passage: _Passage, stand: _Stand) -> int:
    """The side a walker has settled on by now; 0 while that is open."""
    side = _side(stand.depth_m)
    if side != passage.leaning:
        passage.leaning, passage.leaning_since_s = side, stand.time_s
    sure = abs(stand.depth_m) > SURE_M or stand.time_s - passage.leaning_since_s >= SETTLE_S
    return side if sure else 0


def _direction(side: int) -> Direction:
    return "in" if side > 0 else "out"


def _side(depth_m: float) -> int:
    return 0 if abs(depth_m) <= HYSTERESIS_M else (1 if depth_m > 0 else -1)


def _cut(before: _Stand, after: _Stand) -> _Stand | None:
    """Where and when the way from one stand to the other meets the endless line."""
    if (before.depth_m < 0) == (after.depth_m < 0):
        return None
    share = before.depth_m / (before.depth_m - after.depth_m)
    return _Stand(
        before.time_s + share * (after.time_s - before.time_s),
        0.0,
        before.along_m + share * (after.along_m - before.along_m),
    )


def _pace(stands: list[_Stand]) -> tuple[float, float]:
    """Mean speed in depth and along the line, m/s, by least squares; zero from a single stand."""
    table = np.array([(stand.time_s, stand.depth_m, stand.along_m) for stand in stands])
    table -= table.mean(axis=0)
    time, depth, along = table.T
    spread = float(time @ time)
    if spread <= 0:
        return 0.0, 0.0
    return float(time @ depth) / spread, float(time @ along) / spread
