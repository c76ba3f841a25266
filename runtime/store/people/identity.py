"""Which tracks are the same person: tracks of one camera that broke, and tracks of cameras that overlap.

Every person is one global track, a number inside this package. A new track first waits `PROBATION_S` if it
might continue a person that was lost, or be one that another camera sees on the same spot of floor; then a
linear assignment decides for all waiting tracks at once. The evidence is place and walking time: for each
pair the density of the new track's place (and velocity) given the old person, against that of a stranger
appearing anywhere on the floor; their ratio gives the probability of "same". Appearance can be multiplied
in as a further ratio by the caller; nothing here depends on it.

Cost is bounded: at most `MAX_PERSONS` persons and `MAX_PENDING` waiting tracks, each of which is held against
a person once a frame, and only those who can have come there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment

from runtime.messages import Person
from runtime.store.people.id_switches import IdSwitch, IdSwitches
from runtime.store.people.motion import Position, RecentMotion
from runtime.store.people.probation import OVERLAP_S, PROBATION_S, PendingTrack
from runtime.store.people.reassociation import MEMORY_S, WALKING_LIMIT_M_PER_S, co_location, reassociation

__all__ = ["PROBATION_S", "Appearance", "GlobalTracks", "Source", "TrackPoint"]

Source: TypeAlias = tuple[str, int]
"""A camera and its track."""

Appearance: TypeAlias = Callable[[Source, int], float]
"""Likelihood ratio same/different of a new track and a person, from their appearance; 1 says nothing."""

LEAD_PATIENCE_S = 0.5
MAX_PERSONS, MAX_PENDING, MAX_SOURCES = 512, 256, 32
FAR_M = 6.0
"""No two sights of one person at one moment are further apart: cameras disagree by decimetres."""


@dataclass(frozen=True)
class TrackPoint:
    """A person at one moment. `lead` marks the one source that tells their path when several cameras do."""

    person: int
    source: Source
    position: Position
    lead: bool


@dataclass
class _GlobalTrack:
    number: int
    motion: RecentMotion
    sources: dict[Source, float] = field(default_factory=dict)
    lead: Source | None = None

    def seen_by(self, camera: str) -> float:
        """When a track of this camera was last seen on this person."""
        return max((seen_s for (name, _), seen_s in self.sources.items() if name == camera), default=-np.inf)

    @property
    def seen_s(self) -> float:
        return max(self.sources.values(), default=-np.inf)


class GlobalTracks:
    """Turns tracks of all cameras into persons. `area_m2` is the floor on which a stranger may appear."""

    def __init__(self, area_m2: float, appearance: Appearance | None = None) -> None:
        self._stranger = 1.0 / area_m2
        self._appearance = appearance
        self._people: dict[int, _GlobalTrack] = {}
        self._bound: dict[Source, int] = {}
        self._pending: dict[Source, PendingTrack] = {}
        self._id_switches: dict[str, IdSwitches] = {}
        self._switches: list[IdSwitch] = []
        self._next = 1
        self.counts: dict[str, int] = {
            "new": 0,
            "continued": 0,
            "second_camera": 0,
            "exchanged": 0,
            "forgotten": 0,
        }

    def __len__(self) -> int:
        return len(self._people)

    def observe(
        self, camera: str, time_s: float, persons: Iterable[Person], ended: Iterable[int] = ()
    ) -> list[TrackPoint]:
        """The persons on the floor in one frame; the points that are now known, each person's in order."""
        points: list[TrackPoint] = []
        for (name, _), pending in self._pending.items():
            pending.looked_again |= name == camera and time_s > pending.born_s
        present = [seen for seen in persons if seen.floor_xy_m is not None]
        tracks = {seen.track for seen in present}
        for seen in present:
            assert seen.floor_xy_m is not None
            source = (camera, seen.track)
            position = Position(time_s, *seen.floor_xy_m, seen.handling)
            person = self._people.get(self._bound.get(source, 0))
            if person is not None:
                points.append(self._step(person, source, position, tracks))
            else:
                self._wait(source, position)
        self._part(camera, time_s, points)
        for track in ended:
            self._end((camera, track))
        return points + self._decide(time_s)

    def person_of(self, source: Source) -> int | None:
        """Whom a track is of; None while that is not decided."""
        return self._bound.get(source)

    def id_switches(self) -> list[IdSwitch]:
        """Which persons got their own tracks back since the last call; the points told by then had not."""
        found, self._switches = self._switches, []
        return found

    def advance(self, time_s: float) -> list[TrackPoint]:
        """Decide what waited long enough, forget who has been gone for long."""
        points = self._decide(time_s)
        self._forget(time_s)
        return points

    def drain(self, time_s: float) -> list[TrackPoint]:
        """Decide everything that waits, now."""
        for pending in self._pending.values():
            pending.ended = True
        return self._decide(time_s)

    def _part(self, camera: str, time_s: float, points: list[TrackPoint]) -> None:
        """Give two persons who passed each other their own tracks back if the tracker switched them."""
        leading = {point.person: point.source for point in points if point.lead}
        motions = {number: self._people[number].motion for number in leading}
        encounters = self._id_switches.setdefault(camera, IdSwitches())
        for id_switch in encounters.observe(time_s, leading, motions):
            one, other, _ = id_switch
            first, second = self._people[one], self._people[other]
            self._switches.append(id_switch)
            first.motion, second.motion = second.motion, first.motion
            for person, own, new in (
                (first, leading[one], leading[other]),
                (second, leading[other], leading[one]),
            ):
                person.sources[new] = person.sources.pop(own)
                person.lead = new
                self._bound[new] = person.number
            self.counts["exchanged"] += 1

    def _step(self, person: _GlobalTrack, source: Source, position: Position, tracks: set[int]) -> TrackPoint:
        lead = person.lead
        lead_s = person.sources.get(lead, -np.inf) if lead is not None else -np.inf
        gone = lead is not None and lead[0] == source[0] and lead[1] not in tracks
        if lead != source and (gone or position.time_s - lead_s > LEAD_PATIENCE_S):
            person.lead = source
        person.sources[source] = max(position.time_s, person.sources.get(source, position.time_s))
        while len(person.sources) > MAX_SOURCES:
            del person.sources[min(person.sources, key=lambda each: person.sources[each])]
        leads = person.lead == source and person.motion.add(position)
        return TrackPoint(person.number, source, position, leads)

    def _wait(self, source: Source, position: Position) -> None:
        pending = self._pending.get(source)
        if pending is None:
            if len(self._pending) >= MAX_PENDING:
                next(each for each in self._pending.values() if not each.hurried).hurried = True
            pending = self._pending[source] = PendingTrack(RecentMotion(), [])
        pending.motion.add(position)
        pending.positions.append(position)

    def _end(self, source: Source) -> None:
        if source in self._pending:
            self._pending[source].ended = True
        self._bound.pop(source, None)

    def _decide(self, time_s: float) -> list[TrackPoint]:
        """Bind the tracks whose wait is over, the oldest first: each may continue the one before."""
        points: list[TrackPoint] = []
        known: dict[Source, dict[int, float]] = {}
        for source, pending in sorted(self._pending.items(), key=lambda each: each[1].born_s):
            if pending.alone is None:
                pending.alone = not self._candidates(source, pending)
            if pending.is_over(time_s):
                continued = self._continues(source, pending, known)
                found = self._bind(source, continued)
                self._correct(known, found[0].person)
                points += found
        return points

    def _correct(self, known: dict[Source, dict[int, float]], number: int) -> None:
        """A person was just seen anew: what was known of who they might be holds no more."""
        for source, odds in known.items():
            odds.pop(number, None)
            pending = self._pending.get(source)
            if pending is not None and (anew := self._odds(source, pending, self._people[number])):
                odds[number] = anew

    def _continues(
        self, source: Source, pending: PendingTrack, known: dict[Source, dict[int, float]]
    ) -> int | None:
        """The person this track continues, None for a newcomer; one-to-one among tracks seen beside it.

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

    def _candidates(self, source: Source, pending: PendingTrack) -> dict[int, float]:
        """Odds "same" against "stranger" for every person that this track might be."""
        found: dict[int, float] = {}
        for number, person in self._people.items():
            if odds := self._odds(source, pending, person):
                found[number] = odds
        return found

    def _odds(self, source: Source, pending: PendingTrack, person: _GlobalTrack) -> float:
        """Odds "same" against "stranger" for one person; 0 where that is as good as impossible."""
        camera, born, last = source[0], pending.positions[0], person.motion.last
        reach_m = FAR_M + WALKING_LIMIT_M_PER_S * max(0.0, born.time_s - last.time_s)
        if math.hypot(born.x_m - last.x_m, born.y_m - last.y_m) > reach_m:
            return 0.0
        if person.seen_by(camera) > born.time_s + OVERLAP_S:
            return 0.0
        elsewhere_s = max(
            (seen_s for (name, _), seen_s in person.sources.items() if name != camera), default=-np.inf
        )
        if elsewhere_s >= born.time_s - LEAD_PATIENCE_S:
            density = co_location(person.motion, pending.positions, LEAD_PATIENCE_S)
        else:
            density = reassociation(person.motion, pending.motion, born, born.time_s - person.seen_s)
        looks = self._appearance(source, person.number) if self._appearance is not None else 1.0
        return density * looks / self._stranger if density * looks > 1e-3 * self._stranger else 0.0

    def _bind(self, source: Source, number: int | None) -> list[TrackPoint]:
        pending = self._pending.pop(source)
        person = self._people.get(number) if number is not None else None
        if person is None:
            person = self._new_person()
            self.counts["new"] += 1
        else:
            shared = person.seen_s > pending.positions[0].time_s and person.seen_by(source[0]) < person.seen_s
            self.counts["second_camera" if shared else "continued"] += 1
        if not pending.ended:
            self._bound[source] = person.number
        tracks = {source[1]}
        return [self._step(person, source, position, tracks) for position in pending.positions]

    def _new_person(self) -> _GlobalTrack:
        if len(self._people) >= MAX_PERSONS:
            self._drop(min(self._people.values(), key=lambda person: person.seen_s))
        person = _GlobalTrack(self._next, RecentMotion())
        self._people[self._next] = person
        self._next += 1
        return person

    def _forget(self, time_s: float) -> None:
        for person in [w for w in self._people.values() if time_s - w.seen_s > MEMORY_S]:
            self._drop(person)

    def _drop(self, person: _GlobalTrack) -> None:
        del self._people[person.number]
        self.counts["forgotten"] += 1
        for source in person.sources:
            if self._bound.get(source) == person.number:
                del self._bound[source]
