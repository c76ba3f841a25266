"""Anonymous visitors: random ids of one local day.

An id is drawn when a person first appears in a fact and never says anything about them. At local midnight
every person gets a new one, and nothing that is reported links the two: stays are cut there, and a leaving
after midnight tells no `stay_s`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import TypeAlias

Token: TypeAlias = Callable[[], str]
"""Draws a random id."""

MAX_VISITORS = 4096
"""Remembered visitors; the one longest unmentioned is forgotten first."""


def next_midnight_s(time_s: float, timezone: tzinfo) -> float:
    """The first local midnight after a moment (UTC seconds)."""
    local = datetime.fromtimestamp(time_s, timezone)
    return datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), timezone).timestamp()


class VisitorIds:
    """Person numbers to visitor ids, by local day, remembered for at most `keep_hours`."""

    def __init__(self, token: Token, timezone: tzinfo, keep_hours: float) -> None:
        self._token = token
        self._timezone = timezone
        self.keep_hours = keep_hours
        self._ids: dict[tuple[int, int], tuple[str, float]] = {}

    def of(self, person: int, time_s: float) -> str:
        """The person's id on the local day of `time_s`."""
        at = (person, self.day(time_s))
        visitor, first_s = self._ids.pop(at, ("", time_s))
        if not visitor or time_s - first_s > self.keep_hours * 3600:
            visitor, first_s = self._token(), time_s
        self._ids[at] = visitor, first_s
        while len(self._ids) > MAX_VISITORS:
            del self._ids[next(iter(self._ids))]
        return visitor

    def renew(self, person: int, time_s: float) -> str:
        """Another id for the person on that local day, from now on: they are not who they were taken for."""
        self._ids.pop((person, self.day(time_s)), None)
        return self.of(person, time_s)

    def draw(self) -> str:
        """An id that belongs to no person."""
        return self._token()

    def day(self, time_s: float) -> int:
        """The local day of a moment, as a number."""
        return datetime.fromtimestamp(time_s, self._timezone).toordinal()

    def forget(self, time_s: float) -> None:
        """Forget ids first given longer than `keep_hours` ago."""
        self._ids = {
            at: known for at, known in self._ids.items() if time_s - known[1] <= self.keep_hours * 3600
        }
