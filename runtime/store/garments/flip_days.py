"""Flips per visitor, day by day: whether the readers still find what they found the day before.

Antennas that were moved, a rack turned round, a reader's new mode: flips stop coming, or come by themselves,
and every other figure looks well. How often visitors take garments changes slowly, so one day's flips per
visitor say what the next day's will be; a day that differs by more than chance (an exact binomial test of the
flips, given both days' visitors) and by more than half is said in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta, tzinfo

import msgspec
from scipy.stats import binomtest

from contract.facts import Fact, Flip, Visit

DAYS_KEPT = 8
MIN_VISITORS = 20
MAX_VISITS = 20_000
"""Entries remembered of the days at hand, so that one that is taken back counts no more."""
MOST_CHANCE = 1e-3
LEAST_CHANGE = 1.5


class FlipDay(msgspec.Struct, forbid_unknown_fields=True):
    """Visitors who came in and flips that were found on one local day (ISO date)."""

    day: str
    visitors: int = 0
    flips: int = 0

    @property
    def per_visitor(self) -> float:
        return self.flips / max(self.visitors, 1)


class FlipDays:
    """The last DAYS_KEPT days of one shop; `known`: those of before this start."""

    def __init__(self, timezone: tzinfo, known: Sequence[FlipDay] = ()) -> None:
        self._timezone = timezone
        self._days = {one.day: one for one in known[-DAYS_KEPT:]}
        self._came: dict[str, None] = {}

    def take(self, facts: Iterable[Fact]) -> None:
        """Count what facts say of flips and of visitors who came in."""
        for fact in facts:
            if isinstance(fact, Flip):
                self._day(fact.time_s).flips += 1
            elif isinstance(fact, Visit) and fact.direction == "in":
                self._count(fact)

    def _count(self, visit: Visit) -> None:
        counted = visit.key in self._came
        if visit.retracted == counted:
            self._day(visit.time_s).visitors += -1 if counted else 1
            if counted:
                del self._came[visit.key]
            else:
                self._came[visit.key] = None
                if len(self._came) > MAX_VISITS:
                    del self._came[next(iter(self._came))]

    def _date(self, time_s: float) -> date:
        return datetime.fromtimestamp(time_s, self._timezone).date()

    def _day(self, time_s: float) -> FlipDay:
        name = self._date(time_s).isoformat()
        if name not in self._days:
            self._days[name] = FlipDay(name)
            for old in sorted(self._days)[:-DAYS_KEPT]:
                del self._days[old]
        return self._days.get(name, FlipDay(name))

    def days(self) -> list[FlipDay]:
        """What is known of each day, the earliest first."""
        return [self._days[name] for name in sorted(self._days)]

    def remark(self, now_s: float) -> str:
        """What yesterday was unlike the last day before it that had MIN_VISITORS; empty where it was like it
        or either is not known."""
        today = self._date(now_s)
        yesterday = self._days.get((today - timedelta(days=1)).isoformat())
        if yesterday is None or yesterday.visitors < MIN_VISITORS:
            return ""
        earlier = [one for one in self.days() if one.day < yesterday.day and one.visitors >= MIN_VISITORS]
        if not earlier or not _unlike(earlier[-1], yesterday):
            return ""
        before = earlier[-1]
        fewer = yesterday.per_visitor < before.per_visitor
        cause = (
            "has an antenna, a rack or a reader's setting been changed?"
            if fewer
            else "are garments moved by something that is no visitor?"
        )
        return (
            f"{'fewer' if fewer else 'more'} flips: {yesterday.per_visitor:.2f} a visitor on {yesterday.day} "
            f"({yesterday.flips} of {yesterday.visitors} visitors), {before.per_visitor:.2f} on {before.day} "
            f"({before.flips} of {before.visitors}): {cause} tagsight calibrate flips measures what is found"
        )


def _unlike(before: FlipDay, after: FlipDay) -> bool:
    flips = before.flips + after.flips
    if not flips:
        return False
    more, less = max(before.per_visitor, after.per_visitor), min(before.per_visitor, after.per_visitor)
    expected = after.visitors / (before.visitors + after.visitors)
    chance = binomtest(after.flips, flips, expected).pvalue
    return bool(more > LEAST_CHANGE * less and chance < MOST_CHANCE)
