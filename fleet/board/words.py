"""Figures as people read them; the templates' filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

NONE = "\N{EN DASH}"
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0


def count(value: float | None) -> str:
    """A whole number, thousands apart; a dash for what is not known."""
    return NONE if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def share(value: float | None) -> str:
    """Of 100."""
    return NONE if value is None else f"{value:.1f} %" if value < 10 else f"{value:.0f} %"


def span(seconds: float | None) -> str:
    """A length of time in its own unit."""
    if seconds is None:
        return NONE
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:.1f} h" if seconds < 2 * DAY_S else f"{seconds / DAY_S:.1f} days"


def long_day(day: date) -> str:
    return f"{day:%A, %-d %B %Y}"


def short_day(day: date) -> str:
    return f"{day:%a %-d %b}"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "count": count,
    "share": share,
    "span": span,
    "long_day": long_day,
    "short_day": short_day,
}
