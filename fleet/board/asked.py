"""Which store and which days a page is about, and the questions that are put for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from fleet.errors import FleetError
from fleet.serve.asking import DAY, DEFAULT_MINUTES, FIRST_DAY, LAST_DAY, Asked
from fleet.serve.reading import Reading

Row = dict[str, Any]
OLDEST, LATEST = date(1970, 1, 1), date(2999, 12, 31)
"""Beyond them lie typing errors, and days whose week no calendar has."""

MOST_NAMED = 20


@dataclass
class PageQuestions:
    """Puts questions for one page, of the stores that who looks may see (None: all).

    Afterwards it says whether the replica answered and whether an answer was cut.
    """

    reading: Reading
    sites: Collection[str] | None
    is_replica: bool = field(default=False, init=False)
    is_cut: bool = field(default=False, init=False)

    def rows(
        self,
        name: str,
        first_day: str = FIRST_DAY,
        last_day: str = LAST_DAY,
        *,
        sites: Collection[str] | None = None,
        minutes: float = DEFAULT_MINUTES,
        now_s: float | None = None,
    ) -> list[Row]:
        """The answer. Raises FleetError."""
        wanted = self.sites if sites is None else sites
        answer = self.reading.answer(name, Asked(wanted, first_day, last_day, minutes, now_s))
        self.is_replica |= answer.is_replica
        self.is_cut |= answer.is_cut
        return answer.rows


@dataclass(frozen=True)
class Shown:
    """One store on one day, by the store's clock, and what can be chosen instead. `today` is the store's."""

    site: str
    day: date
    today: date
    zone: tzinfo
    sites: tuple[str, ...]
    first_day: date
    last_day: date

    @property
    def week(self) -> tuple[date, date]:
        """Monday and Sunday of the day's week."""
        monday = self.day - timedelta(days=self.day.weekday())
        return monday, monday + timedelta(days=6)

    @property
    def is_today(self) -> bool:
        return self.day == self.today

    def ends_s(self) -> float:
        """When the day ends, UTC seconds."""
        return datetime.combine(self.day + timedelta(days=1), time(), self.zone).timestamp()

    def clock(self, at_s: float) -> str:
        """The store's clock at a moment, with the day where it is another."""
        at = datetime.fromtimestamp(at_s, self.zone)
        return f"{at:%H:%M}" if at.date() == self.day else f"{at:%-d %b %H:%M}"


def shown(asking: PageQuestions, site: str, day: str, now_s: float) -> Shown | None:
    """What a page is about: the given store and day, or the first store and its newest day.

    None where nothing has been told yet. Raises FleetError for a store that may not be seen and
    for a day that is none.
    """
    stores = {row["site"]: row for row in asking.rows("sites")}
    if not stores and not site:
        return None
    chosen = (
        _called(site, stores)
        if site
        else next((name for name, row in stores.items() if row["last_day"]), next(iter(stores)))
    )
    row = stores[chosen]
    zone = ZoneInfo(row["timezone"])
    today = datetime.fromtimestamp(now_s, zone).date()
    last = min(_day(row["last_day"]) or today, today)
    first = min(_day(row["first_day"]) or today, last)
    return Shown(chosen, _given(day) if day else last, today, zone, tuple(stores), first, last)


def named(asking: PageQuestions, text: str) -> list[str]:
    """The stores whose names have `text` in them, those that begin with it first; at most MOST_NAMED."""
    return _like(text, [str(row["site"]) for row in asking.rows("sites")])[:MOST_NAMED]


def _like(text: str, names: Iterable[str]) -> list[str]:
    wanted = text.strip().casefold()
    found = [name for name in names if wanted in name.casefold()]
    return sorted(found, key=lambda name: not name.casefold().startswith(wanted))


def _called(text: str, names: Collection[str]) -> str:
    """The store of that name, or the only one that has it in its name."""
    if text in names:
        return text
    found = _like(text, names) if text.strip() else []
    if len(found) == 1:
        return found[0]
    more = f"; {len(found)} have it in their names: {', '.join(found[:5])}" if found else ""
    raise FleetError(f"no store called {text} is to be seen here{more}")


def _given(text: str) -> date:
    found = _day(text) if DAY.fullmatch(text) else None
    if found is None or not OLDEST <= found <= LATEST:
        raise FleetError(f"{text!r} is no day; give it as 2026-02-27")
    return found


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
