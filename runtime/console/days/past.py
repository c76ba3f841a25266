"""Days that are over, as the box still has them on disk."""

from __future__ import annotations

from collections import OrderedDict
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path

from runtime.daybook.daybook import Daybook
from tagsight.errors import TagsightError

KEPT = 3
"""Days that are held at once."""
DAYS_BACK = 31


class PastDays:
    """Books of days before today, read once. Used by the one thread that reads the outbox."""

    def __init__(self, outbox: Path, zone: tzinfo) -> None:
        self._outbox = outbox
        self._zone = zone
        self._books: OrderedDict[date, Daybook] = OrderedDict()

    def book(self, day: date, now_s: float) -> Daybook:
        """The book of that day."""
        found = self._books.pop(day, None)
        if found is None:
            found = read_day(self._outbox, self._zone, day, now_s)
        self._books[day] = found
        while len(self._books) > KEPT:
            self._books.popitem(last=False)
        return found


def read_day(outbox: Path, zone: tzinfo, day: date, now_s: float) -> Daybook:
    """Everything of one local day, corrections that came later included."""
    book = Daybook(outbox, zone, day)
    book.catch_up(now_s)
    book.close()
    return book


def parse_day(text: str, zone: tzinfo, now_s: float) -> date:
    """`2026-11-29`, `today` or `yesterday`. Raises TagsightError for anything else, and for days to come."""
    today = datetime.fromtimestamp(now_s, zone).date()
    if text in ("today", "yesterday"):
        return today - timedelta(days=text == "yesterday")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise TagsightError(f"{text!r} is no day; 2026-11-29, today or yesterday would be right") from None
    if day > today:
        raise TagsightError(f"{text} has not been yet; today is {today.isoformat()}")
    return day
