"""Hourly counts of many entrances on one clock; what was not counted is missing, not zero."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
DAY = 24
WEEK = 168
OUTAGE_HOURS = 24


class Panel(NamedTuple):
    """`counts[hour, series]`, NaN where nothing was counted; `first_day` (datetime64[D]) has row 0.

    Hours are those of the shops' clocks, 24 a day: where clocks are set back one hour holds two, where they
    are put forward one is missing. There are whole days only.
    """

    names: tuple[str, ...]
    first_day: np.datetime64
    counts: Floats

    @property
    def days(self) -> int:
        return len(self.counts) // DAY

    def until(self, day: np.datetime64) -> Panel:
        """What was known before `day` began."""
        hours = max(0, int((day - self.first_day).astype(int)) * DAY)
        return self._replace(counts=self.counts[:hours])

    def only(self, columns: npt.NDArray[np.intp]) -> Panel:
        """Some of the series."""
        return self._replace(
            names=tuple(self.names[column] for column in columns), counts=self.counts[:, columns]
        )


def without_outages(counts: Floats, hours: int = OUTAGE_HOURS) -> Floats:
    """The same counts, where a run of `hours` zeros or more is missing.

    A run that is as usual stays: the median of all weeks is zero at each of its hours, as in a shop that is
    shut on Sundays. Missing hours do not end a run.
    """
    found: Floats = counts.copy()
    for series in found.T:
        usual = by_hour_of_week(series[:, None], np.nanmedian)[:, 0]
        is_zero = series == 0
        ends = np.flatnonzero(~is_zero & ~np.isnan(series))
        begins = np.concatenate([[0], ends + 1])
        for begin, end in zip(begins, np.concatenate([ends, [len(series)]]), strict=True):
            run = begin + np.flatnonzero(is_zero[begin:end])
            if len(run) and run[-1] + 1 - run[0] >= hours and np.nanmax(usual[run % WEEK]) > 0:
                series[run] = np.nan
    return found


def by_hour_of_week(counts: Floats, how: Callable[..., Floats]) -> Floats:
    """(168, series): `how`, np.nanmedian and the like, over weeks from the first hour on; NaN where none."""
    short = -len(counts) % WEEK
    whole = np.concatenate([counts, np.full((short, counts.shape[1]), np.nan)])
    return quietly(how, whole.reshape(-1, WEEK, counts.shape[1]))


def quietly(how: Callable[..., Floats], values: Floats, axis: int = 0) -> Floats:
    """numpy's nan-functions along an axis; NaN, without a warning, where all is missing."""
    if values.shape[axis] == 0:
        return np.full(np.delete(values.shape, axis), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return how(values, axis=axis)


def ages(counts: Floats) -> npt.NDArray[np.intp]:
    """Of each series: hours since its first count; 0 for one that has none."""
    is_known = ~np.isnan(counts)
    return np.where(is_known.any(0), len(counts) - is_known.argmax(0), 0)
