"""What the boosted model sees of an hour to come: its calendar, the usual week, levels, and a year ago.

All from before the forecast's beginning; the hour itself is seen only through the calendar.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.forecast.calendar import Days, KnownDays
from fleet.forecast.models import weekly
from fleet.forecast.series import DAY, WEEK, Floats, by_hour_of_week, quietly

YEAR_WEEKS = 52
YEAR_DAYS = YEAR_WEEKS * 7
LONG_AGO_DAYS = 300
"""Another day of the same name is one of another year."""
BASE_WEEKS = 8
NAMES = (
    *("series", "hour", "weekday", "day of year", "holiday", "since holiday", "eve", "morrow", "days ahead"),
    *("base", "4 weeks", "12 weeks", "Sunday", "level", "level of a week", "level of 12 weeks"),
    *(
        "week a year ago",
        "week, all",
        "hour a year ago",
        "date a year ago",
        "date, all",
        "same holiday",
        "holiday, all",
    ),
)
SERIES, HOLIDAY = NAMES.index("series"), NAMES.index("holiday")
SHARED = [number for number, name in enumerate(NAMES) if name.endswith(", all")]
"""What all series together did; a young one has it from the older."""


class Past(NamedTuple):
    """What one forecast starts from: `counts` (hours, series) and the days of both past and future."""

    counts: Floats
    days: Days
    anomaly: Floats
    """(days, series): logarithm of a day's count over that of its weekday in the weeks around it."""
    base: Floats
    """(168, series): log1p of the usual week from the beginning on; holidays are not usual."""
    others: Floats
    """(168, series, 3): the same of 4 and of 12 weeks, and of Sunday's hours, less `base`."""
    levels: Floats
    """(series, 3): log1p of the mean of 4 weeks, of one less that, of 12 less that."""


def past(counts: Floats, first_day: np.datetime64, calendar: KnownDays, ahead: int) -> Past:
    """Everything that the hours to come have in common, `ahead` days of them."""
    known = len(counts) // DAY
    days = calendar.days(first_day, known + ahead)
    usual = counts.copy()
    usual[np.repeat((days.holiday > 0)[:known], DAY)] = np.nan
    base = np.log1p(weekly(usual, BASE_WEEKS))
    to_sunday = (6 - int(days.weekday[known])) * DAY
    sunday = np.tile(base[to_sunday : to_sunday + DAY], (7, 1))
    others = [np.log1p(weekly(usual, weeks)) - base for weeks in (4, 12)]
    level = [np.log1p(quietly(np.nanmean, counts[-WEEK * weeks :])) for weeks in (4, 1, 12)]
    levels = np.stack([level[0], level[1] - level[0], level[2] - level[0]], -1)
    return Past(counts, days, _anomaly(counts), base, np.stack([*others, sunday - base], -1), levels)


def table(of: Past, hours: npt.NDArray[np.intp]) -> Floats:
    """(hours, series, features): `hours` counts from the beginning of the forecast."""
    start = len(of.counts)
    series = of.counts.shape[1]
    day = (start + hours) // DAY
    days = of.days
    is_holiday = np.pad(days.holiday > 0, 1)
    alike = [
        np.arange(series) + np.zeros((len(hours), 1)),
        *(
            np.repeat(one[:, None], series, 1)
            for one in (
                hours % DAY,
                days.weekday[day],
                days.day_of_year[day],
                days.holiday[day],
                days.since_holiday[day],
                is_holiday[day + 2],
                is_holiday[day],
                hours / DAY,
            )
        ),
    ]
    week = hours % WEEK
    own = [of.base[week], *np.moveaxis(of.others[week], -1, 0)]
    levels = [np.repeat(one[None], len(hours), 0) for one in of.levels.T]
    return np.stack([*alike, *own, *levels, *_a_year_ago(of, hours, day)], -1)


def _a_year_ago(of: Past, hours: npt.NDArray[np.intp], day: npt.NDArray[np.intp]) -> list[Floats]:
    """How the year before went on from this time of it: by week, hour and date, and at the same holiday."""
    start = len(of.counts)
    nothing = np.full((len(hours), of.counts.shape[1]), np.nan)
    before = start - YEAR_DAYS * DAY
    found = [nothing, nothing, nothing]
    if before >= 4 * WEEK:
        usual = of.counts[max(0, before - BASE_WEEKS * WEEK) : before]
        level = np.log1p(quietly(np.nanmean, usual))
        weeks, which = np.unique((hours - hours % DAY) + before, return_inverse=True)
        means = np.stack(
            [quietly(np.nanmean, of.counts[one - WEEK // 2 : min(one + WEEK, start)]) for one in weeks]
        )
        by_week = (np.log1p(means) - level)[which]
        pattern = np.log1p(by_hour_of_week(usual[len(usual) % WEEK :], np.nanmedian))
        there = np.log1p(of.counts[np.minimum(before + hours, start - 1)])
        found = [by_week, _shared(by_week), there - pattern[hours % WEEK]]
    by_day, which = np.unique(day, return_inverse=True)
    date = np.stack([_anomaly_of(of, _same_date(of.days, one)) for one in by_day])
    name = np.stack([_anomaly_of(of, _same_holiday(of.days, one)) for one in by_day])
    return [*found, *(each[which] for each in (date, _shared(date), name, _shared(name)))]


def _shared(values: Floats) -> Floats:
    """The mean of all series, for each."""
    return np.repeat(quietly(np.nanmean, values, axis=1)[:, None], values.shape[1], 1)


def _anomaly_of(of: Past, days: npt.NDArray[np.intp]) -> Floats:
    known = days[(days >= 0) & (days < len(of.anomaly))]
    return quietly(np.nanmean, of.anomaly[known])


def _same_date(days: Days, day: int) -> npt.NDArray[np.intp]:
    """The day that had this date a year ago."""
    date = days.day[day]
    month = date.astype("datetime64[M]")
    ago = (month - 12).astype("datetime64[D]") + (date - month.astype("datetime64[D]"))
    return np.array([int((ago - days.day[0]).astype(int))])


def _same_holiday(days: Days, day: int) -> npt.NDArray[np.intp]:
    """The days of other years that had the holiday of this one; none for a day that is none."""
    if not days.holiday[day]:
        return np.array([], int)
    return np.flatnonzero(days.holiday[: max(0, day - LONG_AGO_DAYS)] == days.holiday[day])


def _anomaly(counts: Floats) -> Floats:
    daily = counts.reshape(-1, DAY, counts.shape[1])
    is_whole = (~np.isnan(daily)).sum(1) >= DAY - 4
    total = np.where(is_whole, np.log1p(quietly(np.nanmean, daily, axis=1)), np.nan)
    padded = np.pad(total, ((28, 28), (0, 0)), constant_values=np.nan)
    around = np.stack([padded[28 + 7 * k : 28 + 7 * k + len(total)] for k in range(-4, 5) if k])
    return total - quietly(np.nanmedian, around)
