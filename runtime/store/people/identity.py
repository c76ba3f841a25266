"""Which tracks are the same person: tracks of one camera that broke, and tracks of cameras that overlap.

Every person is one walker, a number inside this room. A new track first waits `PROBATION_S` if it might
continue a walker that was lost, or be one that another camera sees on the same spot of floor; then a linear
assignment decides for all waiting tracks at once. The evidence is place and walking time: for each pair the
density of the new track's place (and velocity) given the old walker, against that of a stranger appearing
anywhere on the floor; their ratio gives the probability of "same". Appearance can be multiplied in as a
further ratio by the caller; nothing here depends on it.

Cost is bounded: at most `MAX_WALKERS` walkers and `MAX_PENDING` waiting tracks, each of which is held against
a walker once a frame, and only those who can have come there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment

from runtime.messages import Person
from runtime.store.people.id_switches import Exchange, Meetings
from runtime.store.people.motion import Fix, Motion
from runtime.store.people.probation import OVERLAP_S, PROBATION_S, Pending
from runtime.store.people.reassociation import MEMORY_S, WALKING_LIMIT_M_PER_S, same_spot, taken_up

__all__ = ["PROBATION_S", "Appearance", "Source", "Step", "Walkers"]

Source: TypeAlias = tuple[str, int]
"""A camera and its track."""

Appearance: TypeAlias = Callable[[Source, int], float]
"""Likelihood ratio same/different of a new track and a walker, from their looks; 1 says nothing."""

LEAD_PATIENCE_S = 0.5
MAX_WALKERS, MAX_PENDING, MAX_SOURCES = 512, 256, 32
FAR_M = 6.0
"""No two sights of one person at one moment are further apart: cameras disagree by decimetres."""


@dataclass(frozen=True)
class Step:
    """A walker at one moment. `lead` marks the one source that tells their path when several cameras do."""

    walker: int
    source: Source
    fix: Fix
    lead: bool


@dataclass
class _Walker:
    number: int
    motion: Motion
    sources: dict[Source, float] = field(default_factory=dict)
    lead: Source | None = None

    def seen_by(self, camera: str) -> float:
        """When a track of this camera was last seen on this walker."""
        return max((seen_s for (name, _), seen_s in self.sources.items() if name == camera), default=-np.inf)

    @property
    def seen_s(self) -> float:
        return max(self.sources.values(), default=-np.inf)


class Walkers:
    """Turns tracks of all cameras into walkers. `area_m2` is the floor on which a stranger may appear."""

    def __init__(self, area_m2: float, appearance: Appearance | None = None) -> None:
        self._stranger = 1.0 / area_m2
        self._appearance = appearance
        self._walkers: dict[int, _Walker] = {}
        self._bound: dict[Source, int] = {}
        self._pending: dict[Source, Pending] = {}
        self._meetings: dict[str, Meetings] = {}
        self._exchanges: list[Exchange] = []
        self._next = 1
        self.counts: dict[str, int] = {
            "new": 0,
            "continued": 0,
            "second_camera": 0,
            "exchanged": 0,
            "forgotten": 0,
        }

    def __len__(self) -> int:
        return len(self._walkers)

    def observe(
        self, camera: str, time_s: float, persons: Iterable[Person], ended: Iterable[int] = ()
    ) -> list[Step]:
        """The persons on the floor in one frame; the steps that are now known, each walker's in order."""
        steps: list[Step] = []
        for (name, _), pending in self._pending.items():
            pending.looked_again |= name == camera and time_s > pending.born_s
        present = [person for person in persons if person.floor_xy_m is not None]
        tracks = {person.track for person in present}
        for person in present:
            assert person.floor_xy_m is not None
            source = (camera, person.track)
            fix = Fix(time_s, *person.floor_xy_m, person.handling)
            walker = self._walkers.get(self._bound.get(source, 0))
            if walker is not None:
                steps.append(self._step(walker, source, fix, tracks))
            else:
                self._wait(source, fix)
        self._part(camera, time_s, steps)
        for track in ended:
            self._end((camera, track))
        return steps + self._decide(time_s)

    def exchanges(self) -> list[Exchange]:
        """Which walkers got their own tracks back since the last call; the steps told by then had not."""
        found, self._exchanges = self._exchanges, []
        return found

    def advance(self, time_s: float) -> list[Step]:
        """Decide what waited long enough, forget who has been gone for long."""
        steps = self._decide(time_s)
        self._forget(time_s)
        return steps

    def drain(self, time_s: float) -> list[Step]:
        """Decide everything that waits, now."""
        for pending in self._pending.values():
            pending.ended = True
        return self._decide(time_s)

    def _part(self, camera: str, time_s: float, steps: list[Step]) -> None:
        """Give two walkers who passed each other their own tracks back if the tracker exchanged them."""
        leading = {step.walker: step.source for step in steps if step.lead}
        motions = {number: self._walkers[number].motion for number in leading}
        meetings = self._meetings.setdefault(camera, Meetings())
        for exchange in meetings.observe(time_s, leading, motions):
            one, other, _ = exchange
            first, second = self._walkers[one], self._walkers[other]
            self._exchanges.append(exchange)
            first.motion, second.motion = second.motion, first.motion
            for walker, own, new in (
                (first, leading[one], leading[other]),
                (second, leading[other], leading[one]),
            ):
                walker.sources[new] = walker.sources.pop(own)
                walker.lead = new
                self._bound[new] = walker.number
            self.counts["exchanged"] += 1

    def _step(self, walker: _Walker, source: Source, fix: Fix, tracks: set[int]) -> Step:
        lead = walker.lead
        lead_s = walker.sources.get(lead, -np.inf) if lead is not None else -np.inf
        gone = lead is not None and lead[0] == source[0] and lead[1] not in tracks
        if lead != source and (gone or fix.time_s - lead_s > LEAD_PATIENCE_S):
            walker.lead = source
        walker.sources[source] = max(fix.time_s, walker.sources.get(source, fix.time_s))
        while len(walker.sources) > MAX_SOURCES:
            del walker.sources[min(walker.sources, key=lambda each: walker.sources[each])]
        leads = walker.lead == source and walker.motion.add(fix)
        return Step(walker.number, source, fix, leads)

    def _wait(self, source: Source, fix: Fix) -> None:
        pending = self._pending.get(source)
        if pending is None:
            if len(self._pending) >= MAX_PENDING:
                next(each for each in self._pending.values() if not each.hurried).hurried = True
            pending = self._pending[source] = Pending(Motion(), [])
        pending.motion.add(fix)
        pending.fixes.append(fix)

    def _end(self, source: Source) -> None:
        if source in self._pending:
            self._pending[source].ended = True
        self._bound.pop(source, None)

    def _decide(self, time_s: float) -> list[Step]:
        """Bind the tracks whose wait is over, the oldest first: each may continue the one before."""
        steps: list[Step] = []
        known: dict[Source, dict[int, float]] = {}
        for source, pending in sorted(self._pending.items(), key=lambda each: each[1].born_s):
            if pending.alone is None:
                pending.alone = not self._candidates(source, pending)
            if pending.is_over(time_s):
                continued = self._continues(source, pending, known)
                found = self._bind(source, continued)
                self._correct(known, found[0].walker)
                steps += found
        return steps

    def _correct(self, known: dict[Source, dict[int, float]], number: int) -> None:
        """A walker was just seen anew: what was known of who they might be holds no more."""
        for source, odds in known.items():
            odds.pop(number, None)
            pending = self._pending.get(source)
            if pending is not None and (anew := self._odds(source, pending, self._walkers[number])):
                odds[number] = anew

    def _continues(
        self, source: Source, pending: Pending, known: dict[Source, dict[int, float]]
    ) -> int | None:
        """The walker this track continues, None for a newcomer; one-to-one among tracks seen beside it.

        `known` keeps the candidates of tracks between two calls at one moment.
        """
        if pending.alone:
            return None
        rivals = [
            (other, self._pending[other])
            for other in self._pending
            if other != source and other[0] == source[0] and self._pending[other].beside(pending)
        ]
        near = []
        for each, waiting in [(source, pending), *rivals]:
            if each not in known:
                known[each] = self._candidates(each, waiting)
            near.append(known[each])
        numbers = sorted({number for candidates in near for number in candidates})
        column = {number: place for place, number in enumerate(numbers)}
        gain = np.zeros((len(near), len(numbers) + len(near)))
        gain[:, : len(numbers)] = -50.0
        for row, candidates in enumerate(near):
            for number, odds in candidates.items():
                gain[row, column[number]] = math.log(odds)
        picked = linear_sum_assignment(gain, maximize=True)[1]
        mine = int(picked[0])
        if mine < len(numbers) and self._probability(near[0], numbers[mine]) >= 0.5:
            return numbers[mine]
        return None

    @staticmethod
    def _probability(candidates: dict[int, float], number: int) -> float:
        return candidates.get(number, 0.0) / (1.0 + sum(candidates.values()))

    def _candidates(self, source: Source, pending: Pending) -> dict[int, float]:
        """Odds "same" against "stranger" for every walker that this track might be."""
        found: dict[int, float] = {}
        for number, walker in self._walkers.items():
            if odds := self._odds(source, pending, walker):
                found[number] = odds
        return found

    def _odds(self, source: Source, pending: Pending, walker: _Walker) -> float:
        """Odds "same" against "stranger" for one walker; 0 where that is as good as impossible."""
        camera, born, last = source[0], pending.fixes[0], walker.motion.last
        reach_m = FAR_M + WALKING_LIMIT_M_PER_S * max(0.0, born.time_s - last.time_s)
        if math.hypot(born.x_m - last.x_m, born.y_m - last.y_m) > reach_m:
            return 0.0
        if walker.seen_by(camera) > born.time_s + OVERLAP_S:
            return 0.0
        elsewhere_s = max(
            (seen_s for (name, _), seen_s in walker.sources.items() if name != camera), default=-np.inf
        )
        if elsewhere_s >= born.time_s - LEAD_PATIENCE_S:
            density = same_spot(walker.motion, pending.fixes, LEAD_PATIENCE_S)
        else:
            density = taken_up(walker.motion, pending.motion, born, born.time_s - walker.seen_s)
        looks = self._appearance(source, walker.number) if self._appearance is not None else 1.0
        return density * looks / self._stranger if density * looks > 1e-3 * self._stranger else 0.0

    def _bind(self, source: Source, number: int | None) -> list[Step]:
        pending = self._pending.pop(source)
        walker = self._walkers.get(number) if number is not None else None
        if walker is None:
            walker = self._new_walker()
            self.counts["new"] += 1
        else:
            shared = walker.seen_s > pending.fixes[0].time_s and walker.seen_by(source[0]) < walker.seen_s
            self.counts["second_camera" if shared else "continued"] += 1
        if not pending.ended:
            self._bound[source] = walker.number
        tracks = {source[1]}
        return [self._step(walker, source, fix, tracks) for fix in pending.fixes]

    def _new_walker(self) -> _Walker:
        if len(self._walkers) >= MAX_WALKERS:
            self._drop(min(self._walkers.values(), key=lambda walker: walker.seen_s))
        walker = _Walker(self._next, Motion())
        self._walkers[self._next] = walker
        self._next += 1
        return walker

    def _forget(self, time_s: float) -> None:
        for walker in [w for w in self._walkers.values() if time_s - w.seen_s > MEMORY_S]:
            self._drop(walker)

    def _drop(self, walker: _Walker) -> None:
        del self._walkers[walker.number]
        self.counts["forgotten"] += 1
        for source in walker.sources:
            if self._bound.get(source) == walker.number:
                del self._bound[source]
