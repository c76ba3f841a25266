"""Crossings into visits: the coming and going of anonymous visitors, in which in and out alternate.

A visitor who comes in twice by one entrance and did not go out between is not one person whom the cameras
followed: from the second time on it is another visitor. Counts stay as they are; whose visit it is changes.
What was reported by then is reported again where it turns out otherwise: see `VisitBook.corrected`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from msgspec.structs import replace

from contract.facts import Visit
from runtime.store.counts.passages import Crossing, Direction
from runtime.store.people.visitors import MAX_VISITORS, VisitorIds, next_midnight_s

__all__ = ["MAX_VISITORS", "VisitBook", "VisitorIds", "next_midnight_s"]

MAX_VISITS = 64
"""Visits remembered of one visitor; the oldest is forgotten first, and can be withdrawn but not corrected."""


class _Mark(NamedTuple):
    """What makes a crossing the same when it is taken back."""

    time_s: float
    entrance: str
    person: int
    direction: Direction


class VisitBook:
    """What was reported of whom; visitors longest unmentioned are forgotten beyond `MAX_VISITORS`."""

    def __init__(self, ids: VisitorIds) -> None:
        self._ids = ids
        self._reported: dict[str, dict[_Mark, Visit]] = {}
        """By visitor, and then in order of time."""
        self._whose: dict[_Mark, str] = {}
        self._withdrawn: dict[str, int] = {}
        """The revision in which a key was withdrawn: should it hold again, it needs a higher one."""
        self._corrected: list[Visit] = []

    def add(self, crossing: Crossing) -> Visit:
        """The visit that a crossing is; a crossing taken back retracts it under the same key."""
        mark = _Mark(crossing.time_s, crossing.entrance, crossing.person, crossing.direction)
        if crossing.retracted:
            return self._take_back(mark)
        visitor = self._ids.of(crossing.person, crossing.time_s)
        reported = self._reported.get(visitor, {})
        if _contradiction([*reported, mark]) is not None:
            visitor = self._other_than(visitor, mark if all(each < mark for each in reported) else None)
        self._enter(mark, visitor)
        self._report_stays(visitor, {mark})
        return self._reported[visitor][mark]

    def corrected(self) -> list[Visit]:
        """Revisions of other visits since the last call."""
        found, self._corrected = self._corrected, []
        return found

    def _take_back(self, mark: _Mark) -> Visit:
        visitor = self._whose.get(mark)
        if visitor is None:
            visitor = self._ids.of(mark.person, mark.time_s)
            return replace(_visit(visitor, mark, f"visit:{visitor}:{_moment(mark)}"), rev=1, retracted=True)
        gone = self._withdraw(mark, visitor)
        self._part(visitor)
        return gone

    def _part(self, visitor: str) -> None:
        """Give what contradicts what came before to another visitor, and once more where that does."""
        reported = self._reported.get(visitor, {})
        at = _contradiction(reported)
        if at is None:
            self._report_stays(visitor, ())
            return
        moved = list(reported)[at:]
        other = self._other_than(visitor, moved[-1])
        for mark in moved:
            self._corrected.append(self._withdraw(mark, visitor))
            self._enter(mark, other)
        self._report_stays(visitor, ())
        self._report_stays(other, moved)
        self._corrected += self._reported[other].values()
        self._part(other)

    def _other_than(self, visitor: str, newest: _Mark | None) -> str:
        """A new id; the person's own from `newest` on, if they still go by the old one."""
        if newest is not None and self._ids.of(newest.person, newest.time_s) == visitor:
            return self._ids.renew(newest.person, newest.time_s)
        return self._ids.draw()

    def _enter(self, mark: _Mark, visitor: str) -> None:
        reported = self._reported.pop(visitor, {})
        while len(self._reported) >= MAX_VISITORS:
            self._forget(next(iter(self._reported)))
        if len(reported) >= MAX_VISITS:
            oldest = next(iter(reported))
            del reported[oldest]
            self._whose.pop(oldest, None)
        key = f"visit:{visitor}:{_moment(mark)}"
        if any(visit.key == key for visit in reported.values()):
            key = f"{key}:{mark.entrance}"
        visit = replace(_visit(visitor, mark, key), rev=self._withdrawn.pop(key, -1) + 1)
        self._reported[visitor] = dict(sorted({**reported, mark: visit}.items()))
        self._whose[mark] = visitor

    def _withdraw(self, mark: _Mark, visitor: str) -> Visit:
        visit = self._reported[visitor].pop(mark)
        del self._whose[mark]
        self._withdrawn[visit.key] = visit.rev + 1
        while len(self._withdrawn) > MAX_VISITORS:
            del self._withdrawn[next(iter(self._withdrawn))]
        return replace(visit, rev=visit.rev + 1, retracted=True)

    def _forget(self, visitor: str) -> None:
        for mark in self._reported.pop(visitor):
            self._whose.pop(mark, None)

    def _report_stays(self, visitor: str, unreported: Collection[_Mark]) -> None:
        """On the way out, how long ago they came in; what was reported with another time is corrected."""
        reported, came_s = self._reported.get(visitor, {}), None
        for mark, visit in reported.items():
            if mark.direction == "in":
                came_s = mark.time_s
                continue
            stay_s = None if came_s is None else round(mark.time_s - came_s, 2)
            if stay_s == visit.stay_s:
                continue
            rev = visit.rev if mark in unreported else visit.rev + 1
            reported[mark] = replace(visit, stay_s=stay_s, rev=rev)
            if mark not in unreported:
                self._corrected.append(reported[mark])


def _contradiction(marks: Iterable[_Mark]) -> int | None:
    """The first in order of time that has the same entrance and direction as one before, and no other
    direction between; None if there is none."""
    since: set[tuple[str, Direction]] = set()
    for place, mark in enumerate(sorted(marks)):
        if (mark.entrance, mark.direction) in since:
            return place
        since = {each for each in since if each[1] == mark.direction} | {(mark.entrance, mark.direction)}
    return None


def _moment(mark: _Mark) -> str:
    return f"{mark.direction}:{round(mark.time_s * 1000)}"


def _visit(visitor: str, mark: _Mark, key: str) -> Visit:
    return Visit(
        key=key, time_s=mark.time_s, visitor=visitor, direction=mark.direction, entrance=mark.entrance
    )
