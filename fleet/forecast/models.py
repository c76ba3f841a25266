"""One interface for every model, and the plainest of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fleet.forecast.calendar import KnownDays
from fleet.forecast.series import DAY, WEEK, Floats, Panel, by_hour_of_week

YOUNGEST_DAYS = 14
"""Two weeks tell a weekly pattern from a bad day; with less there is no forecast."""


class Fitted(Protocol):
    """What has learnt from the past of a panel, and forecasts from then or later."""

    def forecast(self, history: Panel, calendar: KnownDays, days: int) -> Floats:
        """(days * 24, series) persons expected in each hour after the end of `history`; NaN: not known."""


class ForecastModel(Protocol):
    """A way to forecast."""

    name: str

    def fit(self, history: Panel, calendar: KnownDays, days: int) -> Fitted:
        """Learn from all of `history` to forecast so many days."""


class Median:
    """The median of the last weeks at the same hour of the week; it has nothing to learn."""

    def __init__(self, weeks: int = 4) -> None:
        self.name = f"median of {weeks} weeks"
        self._weeks = weeks

    def fit(self, history: Panel, calendar: KnownDays, days: int) -> Median:
        return self

    def forecast(self, history: Panel, calendar: KnownDays, days: int) -> Floats:
        found = repeated(weekly(history.counts, self._weeks), days)
        found[np.repeat(calendar.days(history.first_day + history.days, days).is_closed, DAY)] = 0
        return found


def weekly(counts: Floats, weeks: int) -> Floats:
    """(168, series): medians of the last `weeks` at each hour of the week, the hour after the end first.

    Where an hour was not counted in them, twice as many weeks are asked, then all; else it is not known, NaN.
    """
    found = np.full((WEEK, counts.shape[1]), np.nan)
    for reach in (weeks, 2 * weeks, max(1, len(counts) // WEEK)):
        if np.isnan(found).any():
            found = np.where(np.isnan(found), by_hour_of_week(_last(counts, reach), np.nanmedian), found)
    return found


def repeated(pattern: Floats, days: int) -> Floats:
    """A week's pattern for so many days."""
    found: Floats = pattern[np.arange(days * DAY) % WEEK]
    return found


def _last(counts: Floats, weeks: int) -> Floats:
    """So many whole weeks up to the end, missing before the beginning."""
    short = max(0, weeks * WEEK - len(counts))
    before = np.full((short, counts.shape[1]), np.nan)
    return np.concatenate([before, counts[len(counts) - (weeks * WEEK - short) :]])
