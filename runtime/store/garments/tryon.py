"""Tags in fitting rooms: a try-on is a tag that a fitting room's antenna reads for long enough.

It is reported as open once it has been, and closed by its next revision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contract.facts import TryOn
from runtime.messages import TagPresence
from runtime.store.floorplan import FloorPlan, Place
from runtime.store.people.paths import RecentPaths
from runtime.store.people.visitors import VisitorIds

LEAST_S = 10.0
"""Shorter is passing by with the garment."""
SILENCE_S = 3600.0
"""Readers say when a tag comes and when it has gone; without a word for longer, the reader lost count."""
BEFORE_S, AFTER_S = 15.0, 3.0
"""The visitor who takes a garment in is seen at the room this long before and after its first read."""
AT_ROOM_M = 0.5
MAX_TAGS = 4096


@dataclass
class _Stay:
    """One tag in one room."""

    latest: TagPresence
    visitor: str | None = None
    visitor_sought: bool = False
    is_told: bool = False


class TryOnBook:
    """Tags now in fitting rooms; at `MAX_TAGS` the one read longest ago is taken as gone."""

    def __init__(self, plan: FloorPlan, paths: RecentPaths, ids: VisitorIds) -> None:
        self.plan = plan
        self._paths = paths
        self._ids = ids
        self._stays: dict[tuple[str, str], _Stay] = {}

    def observe(self, presence: TagPresence) -> list[TryOn]:
        """A presence report; a try-on if it opens or ends one."""
        antenna = self.plan.antennas.get((presence.reader, presence.antenna))
        if antenna is None or antenna.fitting_room is None:
            return []
        at = (antenna.fitting_room, presence.epc)
        found: list[TryOn] = []
        stay = self._stays.get(at)
        if stay is not None and presence.first_s > stay.latest.last_s:
            found += self._over(at)
            stay = None
        if stay is None:
            if len(self._stays) >= MAX_TAGS:
                found += self._over(min(self._stays, key=lambda each: self._stays[each].latest.last_s))
            stay = self._stays[at] = _Stay(presence)
        stay.latest = presence
        return found + (self._over(at) if presence.gone else self._opened(at, stay))

    def advance(self, time_s: float) -> list[TryOn]:
        """Try-ons of tags that are not read any more."""
        for (room, _), stay in self._stays.items():
            if not stay.visitor_sought and time_s >= stay.latest.first_s + AFTER_S + 2:
                self._seek(self.plan.rooms.get(room), stay)
        silent = [at for at, stay in self._stays.items() if time_s - stay.latest.last_s > SILENCE_S]
        return [fact for at in silent for fact in self._over(at, partial=True)]

    def cut(self) -> list[TryOn]:
        """Try-ons still going on when watching stops."""
        return [fact for at in list(self._stays) for fact in self._over(at, partial=True)]

    def _seek(self, room: Place | None, stay: _Stay) -> None:
        """Name the visitor if exactly one was at the room when the tag came in."""
        stay.visitor_sought = True
        if room is None:
            return
        first_s = stay.latest.first_s
        times_s = np.arange(first_s - BEFORE_S, first_s + AFTER_S, 0.5)
        there = [
            where.person
            for where in self._paths.whereabouts(times_s)
            if (room.distance_m(where.points[where.known]) <= AT_ROOM_M).any()
        ]
        if len(there) == 1:
            stay.visitor = self._ids.of(there[0], first_s)

    def _opened(self, at: tuple[str, str], stay: _Stay) -> list[TryOn]:
        """The try-on that has lasted long enough to be one and was not reported yet."""
        if stay.is_told or stay.latest.last_s - stay.latest.first_s < LEAST_S:
            return []
        if not stay.visitor_sought:
            self._seek(self.plan.rooms.get(at[0]), stay)
        stay.is_told = True
        return [self._fact(at, stay, is_open=True)]

    def _over(self, at: tuple[str, str], partial: bool = False) -> list[TryOn]:
        stay = self._stays.pop(at)
        if stay.latest.last_s - stay.latest.first_s < LEAST_S:
            return []
        return [self._fact(at, stay, partial=partial)]

    def _fact(
        self, at: tuple[str, str], stay: _Stay, *, is_open: bool = False, partial: bool = False
    ) -> TryOn:
        room, epc = at
        latest = stay.latest
        article = self.plan.article_of(epc)
        return TryOn(
            key=f"tryon:{room}:{epc}:{round(latest.first_s * 1000)}",
            time_s=latest.last_s,
            rev=int(stay.is_told and not is_open),
            epc=epc,
            sku=article.sku if article is not None else None,
            room=room,
            start_s=latest.first_s,
            end_s=latest.last_s,
            reads=latest.reads,
            visitor=stay.visitor,
            partial=partial,
            open=is_open,
        )
