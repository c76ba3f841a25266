"""Ranges that hold as often as they say: conformal, from how far forecasts of the past were off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.forecast.calendar import KnownDays
from fleet.forecast.models import ForecastModel
from fleet.forecast.series import DAY, WEEK, Floats, Panel

COVER = 0.8
HELD_BACK_DAYS = 182
"""The last half year, which the model that is judged has not learnt from."""
LEVELS = 4
FEWEST = 100
"""Hours that a range is taken from; with fewer, all levels of the series serve together."""


class Bands(NamedTuple):
    """By series and level of the forecast: the quantiles of log1p(count) - log1p(forecast).

    `edges` (series, levels - 1) part the levels; `low` and `high` are (series, levels).
    """

    edges: Floats
    low: Floats
    high: Floats

    def around(self, forecast: Floats, is_shut: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """The range of each hour (hours, series), in whole persons; nobody in hours that are shut."""
        level = (forecast[..., None] > self.edges).sum(-1)
        series = np.arange(forecast.shape[1])
        low = np.floor(_whole_if_near(np.log1p(forecast) + self.low[series, level]))
        high = np.ceil(_whole_if_near(np.log1p(forecast) + self.high[series, level]))
        return np.where(is_shut[:, None], 0, np.maximum(0, low)), np.where(is_shut[:, None], 0, high)

    def for_all(self, count: int) -> Bands:
        """The ranges of a pooled series for so many series."""
        return Bands(*(np.repeat(one, count, 0) for one in self))


def calibrated(
    model: ForecastModel,
    history: Panel,
    calendar: KnownDays,
    days: int,
    cover: float = COVER,
    is_pooled: bool = False,
) -> Bands:
    """From forecasts of days that `model` had not seen: three beginnings in the part that is held back.

    `is_pooled`: one range for all series, for such as have no past of their own (see `Bands.for_all`).
    Split conformal prediction (Vovk 2005), by group; the ranks are those of n + 1.
    """
    held_back = min(HELD_BACK_DAYS, history.days // 2 // 7 * 7)
    begin = history.days - held_back
    fitted = model.fit(_first(history, begin), calendar, days)
    told, found = [], []
    for start in sorted({begin, begin + held_back // 4, begin + held_back // 2}):
        ahead = min(days, history.days - start)
        forecast = fitted.forecast(_first(history, start), calendar, ahead)
        told.append(forecast)
        found.append(history.counts[start * DAY : (start + ahead) * DAY])
    forecasts, counts = np.concatenate(told), np.concatenate(found)
    if is_pooled:
        forecasts, counts = forecasts.reshape(-1, 1), counts.reshape(-1, 1)
    rows = [_quantiles(*each, cover) for each in zip(forecasts.T, counts.T, strict=True)]
    return Bands(*(np.stack([row[part] for row in rows]) for part in range(3)))


def _whole_if_near(log1p: Floats) -> Floats:
    """Back from log1p, without what its rounding added."""
    found: Floats = np.expm1(log1p).round(9)
    return found


def _first(history: Panel, days: int) -> Panel:
    return history._replace(counts=history.counts[: days * DAY])


def _quantiles(forecast: Floats, counts: Floats, cover: float) -> tuple[Floats, Floats, Floats]:
    is_told = ~np.isnan(forecast) & ~np.isnan(counts)
    forecast, counts = forecast[is_told], counts[is_told]
    if len(counts) < WEEK // 2:
        nothing = np.full(LEVELS, np.nan)
        return np.full(LEVELS - 1, np.inf), nothing, nothing
    off = np.log1p(counts) - np.log1p(forecast)
    edges = np.quantile(forecast, np.arange(1, LEVELS) / LEVELS)
    level = (forecast[:, None] > edges).sum(1)
    groups = [off[level == number] for number in range(LEVELS)]
    ranges = [_range(group if len(group) >= FEWEST else off, cover) for group in groups]
    return edges, np.array([low for low, _ in ranges]), np.array([high for _, high in ranges])


def _range(off: npt.NDArray[np.float64], cover: float) -> tuple[float, float]:
    sorted_off = np.sort(off)
    count = len(off)
    below = int(np.floor((count + 1) * (1 - cover) / 2))
    above = int(np.ceil((count + 1) * (1 + cover) / 2))
    return float(sorted_off[max(0, below - 1)]), float(sorted_off[min(count, above) - 1])
