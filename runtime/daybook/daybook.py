"""Today's events as the box has them on disk: read from the outbox when somebody asks, and only then."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TypeVar

from contract.envelope import Event, EventFact
from contract.facts import Fact, ProcessHealth, Visit
from runtime.daybook.following import Following

FactT = TypeVar("FactT", bound=Fact)
MAX_FACTS = 60_000
"""Of each kind; the oldest go, and the page says so."""
NEWS_AT_ONCE = 200


class Daybook:
    """Facts of the local day of `zone`, or of a `day` that is over, each in its highest revision.

    One thread catches up; what is known so far may be asked for by another meanwhile.
    """

    def __init__(self, outbox: Path, zone: tzinfo, day: date | None = None) -> None:
        self._events = Following(outbox, lambda _: self.begin_s)
        self._zone = zone
        self._fixed = None if day is None else _bounds(day, zone)
        self._day_s = (0.0, 0.0)
        self._facts: dict[type[Fact], dict[str, Fact]] = defaultdict(dict)
        self._health: dict[str, ProcessHealth] = {}
        self.cut_short = False
        """The day's first facts had to be left out."""

    @property
    def begin_s(self) -> float:
        """The local midnight that the day began with, UTC seconds."""
        return self._day_s[0]

    @property
    def fault(self) -> str:
        """Why nothing can be read, in a sentence."""
        return self._events.fault

    def catch_up(self, now_s: float) -> list[Event]:
        """Read what has been written since the last call; the newest of it that is news, oldest first."""
        self._begin_day(now_s)
        return list(
            deque((event for event in self._events.news(now_s) if self._take(event.fact)), NEWS_AT_ONCE)
        )

    def of(self, kind: type[FactT]) -> list[FactT]:
        """Today's facts of a kind that hold, in the order in which they were first told."""
        facts = tuple(self._facts.get(kind, {}).values())
        return [fact for fact in facts if isinstance(fact, kind) and not fact.retracted]

    def health(self) -> dict[str, ProcessHealth]:
        """The newest word of each process."""
        return dict(self._health)

    def gates(self) -> dict[str, tuple[int, int]]:
        """How many came in and went out today, by entrance."""
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for visit in self.of(Visit):
            counts[visit.entrance][visit.direction == "out"] += 1
        return {entrance: (entered, left) for entrance, (entered, left) in counts.items()}

    def close(self) -> None:
        """Let go of the outbox."""
        self._events.close()

    def _begin_day(self, now_s: float) -> None:
        if self._fixed is not None:
            self._day_s = self._fixed
            return
        begin_s, end_s = self._day_s
        if begin_s <= now_s < end_s:
            return
        self._day_s = local_day(now_s, self._zone)
        self.cut_short = False
        for facts in self._facts.values():
            for key in [key for key, fact in facts.items() if fact.time_s < self.begin_s]:
                del facts[key]

    def _take(self, fact: EventFact) -> bool:
        """Whether it is news."""
        if isinstance(fact, ProcessHealth):
            self._health[fact.process] = fact
            return True
        if fact.time_s < self.begin_s or (self._fixed is not None and fact.time_s >= self._day_s[1]):
            return False
        facts = self._facts[type(fact)]
        known = facts.get(fact.key)
        if known is not None and known.rev >= fact.rev:
            return False
        facts[fact.key] = fact
        if len(facts) > MAX_FACTS:
            del facts[next(iter(facts))]
            self.cut_short = True
        return True


def local_day(time_s: float, zone: tzinfo) -> tuple[float, float]:
    """Begin and end of the local day of a moment, UTC seconds; a day may have 23 or 25 hours."""
    return _bounds(datetime.fromtimestamp(time_s, zone).date(), zone)


def _bounds(day: date, zone: tzinfo) -> tuple[float, float]:
    first, next_ = (
        datetime.combine(each, datetime.min.time(), zone).timestamp()
        for each in (day, day + timedelta(days=1))
    )
    return first, next_
