"""Anonymous visitors: random ids of one local day, and their coming and going.

An id is drawn when a walker first appears in a fact and never says anything about them. At local midnight
every walker gets a new one, and nothing that is told links the two: stays are cut there, and a leaving
after midnight tells no `stay_s`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import TypeAlias

from runtime.store.entrances import Crossing
from runtime.store.facts import Visit

Token: TypeAlias = Callable[[], str]
"""Draws a random id."""

MAX_VISITORS = 4096
"""Remembered visitors; the one longest unmentioned is forgotten first."""


def next_midnight_s(time_s: float, timezone: tzinfo) -> float:
    """The first local midnight after a moment (UTC seconds)."""
    local = datetime.fromtimestamp(time_s, timezone)
    return datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), timezone).timestamp()


class VisitorIds:
    """Walker numbers to visitor ids, by local day, remembered for at most `keep_hours`."""

    def __init__(self, token: Token, timezone: tzinfo, keep_hours: float) -> None:
        self._token = token
        self._timezone = timezone
        self.keep_hours = keep_hours
        self._ids: dict[tuple[int, int], tuple[str, float]] = {}

    def of(self, walker: int, time_s: float) -> str:
        """The walker's id on the local day of `time_s`."""
        at = (walker, self.day(time_s))
        visitor, first_s = self._ids.pop(at, ("", time_s))
        if not visitor or time_s - first_s > self.keep_hours * 3600:
            visitor, first_s = self._token(), time_s
        self._ids[at] = visitor, first_s
        while len(self._ids) > MAX_VISITORS:
            del self._ids[next(iter(self._ids))]
        return visitor

    def day(self, time_s: float) -> int:
        """The local day of a moment, as a number."""
        return datetime.fromtimestamp(time_s, self._timezone).toordinal()

    def forget(self, time_s: float) -> None:
        """Forget ids first given longer than `keep_hours` ago."""
        self._ids = {
            at: known for at, known in self._ids.items() if time_s - known[1] <= self.keep_hours * 3600
        }


class VisitBook:
    """Crossings into visits."""

    def __init__(self, ids: VisitorIds) -> None:
        self._ids = ids
        self._came_in_s: dict[int, float] = {}

    def add(self, crossing: Crossing) -> Visit:
        """The visit that a crossing is; a crossing taken back retracts it under the same key."""
        visitor = self._ids.of(crossing.walker, crossing.time_s)
        stay_s = None
        if crossing.direction == "in":
            self._came_in_s.pop(crossing.walker, None)
            if not crossing.retracted:
                self._came_in_s[crossing.walker] = crossing.time_s
            while len(self._came_in_s) > MAX_VISITORS:
                del self._came_in_s[next(iter(self._came_in_s))]
        else:
            stay_s = self._stay_s(crossing)
        return Visit(
            key=f"visit:{visitor}:{crossing.direction}:{round(crossing.time_s * 1000)}",
            time_s=crossing.time_s,
            rev=1 if crossing.retracted else 0,
            retracted=crossing.retracted,
            visitor=visitor,
            direction=crossing.direction,
            entrance=crossing.entrance,
            stay_s=stay_s,
        )

    def _stay_s(self, crossing: Crossing) -> float | None:
        came_s = self._came_in_s.get(crossing.walker)
        if came_s is None or self._ids.day(came_s) != self._ids.day(crossing.time_s):
            return None
        return round(crossing.time_s - came_s, 2)
