"""A forecast of every entrance that has counts enough, and a sentence about each that has not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.forecast.bands import Bands, calibrated
from fleet.forecast.blend import trees_and_net
from fleet.forecast.boosted import OLDEST_WEEKS, Boosted, Settings
from fleet.forecast.calendar import KnownDays
from fleet.forecast.models import YOUNGEST_DAYS, ForecastModel, Median
from fleet.forecast.series import DAY, WEEK, Floats, Panel, ages

OLD_HOURS = OLDEST_WEEKS * WEEK
YOUNG_WEEKS = (8, 4, 2)
"""A young series is forecast as one of so many weeks: the most that it has."""
SILENT_DAYS = 14


class EntranceForecast(NamedTuple):
    """(hours, series) of some columns of a panel: persons expected, and the range that holds in 80 %."""

    columns: npt.NDArray[np.intp]
    model: str
    expected: Floats
    low: Floats
    high: Floats


class Forecast(NamedTuple):
    """`sentences`: what is too short, absent or less than it could be."""

    parts: list[EntranceForecast]
    sentences: list[str]


def forecast(
    history: Panel, calendar: KnownDays, days: int, model: str = "lightgbm", settings: Settings | None = None
) -> Forecast:
    """`history` ends with the last whole day; `model` is `lightgbm`, `median`, or `blend` (of trees and net).

    Young entrances have no net of their own: with `blend` too they are learnt by trees.
    """
    age = ages(history.counts)
    last: Floats = history.counts[-SILENT_DAYS * DAY :]
    recent: npt.NDArray[np.bool_] = np.any(~np.isnan(last), axis=0)
    told: npt.NDArray[np.intp] = (~np.isnan(history.counts)).sum(0)
    sentences = [*_not_told(history, age, recent, told)]
    is_fit = recent & (age >= YOUNGEST_DAYS * DAY) & (told >= YOUNGEST_DAYS * DAY // 4)
    old = np.flatnonzero(is_fit & (age >= OLD_HOURS))
    young = np.flatnonzero(is_fit & (age < OLD_HOURS))
    if model == "median" or not len(old):
        if model != "median" and len(young):
            sentences.append(
                f"no entrance has {OLDEST_WEEKS} weeks of counts to learn from,"
                " so all have the median of 4 weeks"
            )
        return Forecast([*_by_median(history, calendar, days, np.flatnonzero(is_fit))], sentences)
    chosen: ForecastModel = trees_and_net(settings) if model == "blend" else Boosted(settings)
    parts = [_told(chosen, history.only(old), calendar, days, old)]
    for weeks in YOUNG_WEEKS:
        least = weeks * WEEK
        most = min((other * WEEK for other in YOUNG_WEEKS if other > weeks), default=OLD_HOURS)
        columns = young[(age[young] >= least) & (age[young] < most)]
        if len(columns):
            parts.append(pooled(history, calendar, days, old, columns, weeks, settings))
            sentences.extend(
                f"{history.names[column]}: {age[column] // DAY} days of counts, so its forecast is learnt"
                f" from {len(old)} older entrances"
                for column in columns
            )
    return Forecast(parts, sentences)


def pooled(
    history: Panel,
    calendar: KnownDays,
    days: int,
    old: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    weeks: int,
    settings: Settings | None = None,
) -> EntranceForecast:
    """Young series by what the old ones taught of series that are `weeks` old, with the range of those."""
    model = Boosted(settings, known_weeks=weeks)
    teachers = history.only(old)
    bands = calibrated(model, teachers, calendar, days, is_pooled=True).for_all(len(columns))
    everything = history.only(np.concatenate([old, columns]))
    expected = model.fit(teachers, calendar, days).forecast(everything, calendar, days)[:, len(old) :]
    return EntranceForecast(
        columns,
        f"lightgbm, pooled, {weeks} weeks",
        expected,
        *bands.around(expected, _shut(history, calendar, days)),
    )


def _told(
    model: ForecastModel, history: Panel, calendar: KnownDays, days: int, columns: npt.NDArray[np.intp]
) -> EntranceForecast:
    bands: Bands = calibrated(model, history, calendar, days)
    expected = model.fit(history, calendar, days).forecast(history, calendar, days)
    return EntranceForecast(
        columns, model.name, expected, *bands.around(expected, _shut(history, calendar, days))
    )


def _shut(history: Panel, calendar: KnownDays, days: int) -> npt.NDArray[np.bool_]:
    """Of each hour to come, whether the shops are shut that day."""
    return np.repeat(calendar.days(history.first_day + history.days, days).is_closed, DAY)


def _by_median(
    history: Panel, calendar: KnownDays, days: int, columns: npt.NDArray[np.intp]
) -> Iterator[EntranceForecast]:
    """Each for itself, from its own first week on, so that its range comes from its own past."""
    age = ages(history.counts)
    for column in columns:
        own = int(age[column]) // DAY
        alone = Panel(
            (history.names[column],),
            history.first_day + (history.days - own),
            history.counts[-own * DAY :, [column]],
        )
        yield _told(Median(), alone, calendar, days, np.array([column]))


def _not_told(
    history: Panel,
    age: npt.NDArray[np.intp],
    recent: npt.NDArray[np.bool_],
    told: npt.NDArray[np.intp],
) -> Iterator[str]:
    for column, name in enumerate(history.names):
        if not age[column]:
            yield f"{name}: nothing was counted there, so it has no forecast"
        elif not recent[column]:
            yield f"{name}: nothing was counted in the last {SILENT_DAYS} days, so it has no forecast"
        elif age[column] < YOUNGEST_DAYS * DAY or told[column] < YOUNGEST_DAYS * DAY // 4:
            yield (
                f"{name}: {told[column]} hours of counts in {age[column] // DAY} days;"
                f" {YOUNGEST_DAYS} days are needed, so it has no forecast"
            )
