"""What one person did at one entrance: where they stood, which side they settled on, what counted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from runtime.store.people.identity import Source

Direction = Literal["in", "out"]

HYSTERESIS_M = 0.25
SETTLE_S = 0.3
SURE_M = 0.5
ENDING_S = 0.8
"""How much of a track's end tells where it was going."""
TURNS_KEPT_S = 10.0
"""An id switch is found out within seconds."""


@dataclass(frozen=True)
class Crossing:
    """One person through one entrance. `retracted` takes back an earlier, inferred crossing."""

    entrance: str
    person: int
    direction: Direction
    time_s: float
    inferred: bool = False
    retracted: bool = False


@dataclass(frozen=True)
class LinePosition:
    """Where a person stands relative to the line: depth behind it, place along it in metres."""

    time_s: float
    depth_m: float
    along_m: float


@dataclass(frozen=True)
class SideChange:
    """A moment at which a person counted, or was found on the other side without counting."""

    time_s: float
    side_before: int
    crossing: Crossing | None


@dataclass
class LinePassage:
    """What one person has done at one entrance."""

    source: Source
    stands: list[LinePosition] = field(default_factory=list)
    starting: list[LinePosition] = field(default_factory=list)
    came_from_judged: bool = False
    settled: int = 0
    leaning: int = 0
    leaning_since_s: float = 0.0
    cut: LinePosition | None = None
    """Where they last met the endless line."""
    came_by: LinePosition | None = None
    """Where they had met it when they first settled on a side."""
    inferred: Crossing | None = None
    gone: bool = False
    turns: list[SideChange] = field(default_factory=list)

    def turned(self, time_s: float, crossing: Crossing | None) -> None:
        """Note what counted, or a change of sides that did not, before `settled` changes."""
        self.turns = [turn for turn in self.turns if turn.time_s > time_s - TURNS_KEPT_S]
        self.turns.append(SideChange(time_s, self.settled, crossing))

    def correct(self, reported: Crossing, right: Crossing | None) -> None:
        """What was reported turned out otherwise, or not to have been."""
        for place, turn in enumerate(self.turns):
            if turn.crossing == reported:
                self.turns[place : place + 1] = (
                    [] if right is None else [SideChange(right.time_s, turn.side_before, right)]
                )
                return

    def settled_at(self, time_s: float) -> int:
        """The side the person had settled on at a moment not long ago."""
        return next((turn.side_before for turn in self.turns if turn.time_s >= time_s), self.settled)

    def unreported(self, crossing: Crossing) -> None:
        """This crossing counts no more, and whoever took part in it knows: there is nothing to take back."""
        self.turns = [
            replace(turn, crossing=None) if turn.crossing == crossing else turn for turn in self.turns
        ]
        if self.inferred == crossing:
            self.inferred = None

    def forget(self, since_s: float) -> list[Crossing]:
        """Nothing of what happened from `since_s` on was so: what counted is taken back."""
        undone = [turn for turn in self.turns if turn.time_s >= since_s]
        self.settled = self.settled_at(since_s)
        self.turns = [turn for turn in self.turns if turn.time_s < since_s]
        self.stands = [stand for stand in self.stands if stand.time_s < since_s]
        self.starting = [stand for stand in self.starting if stand.time_s < since_s]
        self.inferred, self.leaning = None, 0
        return [replace(turn.crossing, retracted=True) for turn in undone if turn.crossing is not None]

    def hand_over(self, person: int, since_s: float) -> list[Crossing]:
        """From `since_s` on it was `person` who did this: what counted is taken back and counted for them."""
        found: list[Crossing] = []
        for place, turn in enumerate(self.turns):
            crossing = turn.crossing
            if crossing is None or turn.time_s < since_s:
                continue
            theirs = replace(crossing, person=person)
            found += [replace(crossing, retracted=True), theirs]
            self.turns[place] = replace(turn, crossing=theirs)
            if self.inferred == crossing:
                self.inferred = theirs
        return found


def settles(passage: LinePassage, stand: LinePosition) -> int:
    """The side a person has settled on by now; 0 while that is open."""
    side = side_of(stand.depth_m)
    if side != passage.leaning:
        passage.leaning, passage.leaning_since_s = side, stand.time_s
    sure = abs(stand.depth_m) > SURE_M or stand.time_s - passage.leaning_since_s >= SETTLE_S
    return side if sure else 0


def direction_of(side: int) -> Direction:
    return "in" if side > 0 else "out"


def side_of(depth_m: float) -> int:
    return 0 if abs(depth_m) <= HYSTERESIS_M else (1 if depth_m > 0 else -1)


def cut_between(before: LinePosition, after: LinePosition) -> LinePosition | None:
    """Where and when the way from one stand to the other meets the endless line."""
    if (before.depth_m < 0) == (after.depth_m < 0):
        return None
    share = before.depth_m / (before.depth_m - after.depth_m)
    return LinePosition(
        before.time_s + share * (after.time_s - before.time_s),
        0.0,
        before.along_m + share * (after.along_m - before.along_m),
    )


def pace(stands: list[LinePosition]) -> tuple[float, float]:
    """Mean speed in depth and along the line, m/s, by least squares; zero from a single stand."""
    table = np.array([(stand.time_s, stand.depth_m, stand.along_m) for stand in stands])
    table -= table.mean(axis=0)
    time, depth, along = table.T
    spread = float(time @ time)
    if spread <= 0:
        return 0.0, 0.0
    return float(time @ depth) / spread, float(time @ along) / spread
