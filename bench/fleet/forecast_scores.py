"""How far a forecast is off, and how far a perfect one would be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.forecast.floor import mean_deviation, mean_relative_deviation
from fleet.forecast.series import DAY, Floats


class Off(NamedTuple):
    """Absolute error and persons, by part: sums that add up over beginnings; relative errors of sums."""

    error: float
    persons: float
    holiday_error: float
    holiday_persons: float
    day_errors: Floats
    hour_errors: Floats

    @property
    def wape(self) -> float:
        return self.error / self.persons


class Sums(NamedTuple):
    """Over all beginnings: WAPE of hours and of holidays' hours, MAPE of all series' sum by day and hour."""

    wape: float
    wape_holidays: float
    mape_days: float
    mape_all_hours: float


def off(counts: Floats, forecast: Floats, is_holiday: npt.NDArray[np.bool_]) -> Off:
    """`counts` and `forecast` (hours, series); `is_holiday` by hour. What was not counted is left out."""
    is_told = ~np.isnan(counts) & ~np.isnan(forecast)
    true, said = np.where(is_told, counts, 0), np.where(is_told, forecast, 0)
    error = np.abs(true - said)
    hours, said_hours = true.sum(1), said.sum(1)
    days, said_days = (one.reshape(-1, DAY).sum(1) for one in (hours, said_hours))
    return Off(
        float(error.sum()),
        float(true.sum()),
        float(error[is_holiday].sum()),
        float(true[is_holiday].sum()),
        _relative(days, said_days),
        _relative(hours, said_hours),
    )


def floor_of(forecast: Floats, counts: Floats, is_holiday: npt.NDArray[np.bool_]) -> Off:
    """The same of a perfect forecast, if persons come one by one and `forecast` is their true expectation."""
    expected = np.where(np.isnan(counts), 0, forecast)
    error = mean_deviation(np.maximum(expected, 1e-6))
    hours = expected.sum(1)
    return Off(
        float(error.sum()),
        float(expected.sum()),
        float(error[is_holiday].sum()),
        float(expected[is_holiday].sum()),
        mean_relative_deviation(hours.reshape(-1, DAY).sum(1)),
        mean_relative_deviation(hours[hours > 0]),
    )


def summed(parts: list[Off]) -> Sums:
    """Over beginnings; a beginning without a holiday adds nothing to theirs."""
    holiday_persons = sum(part.holiday_persons for part in parts)
    return Sums(
        round(sum(part.error for part in parts) / sum(part.persons for part in parts), 4),
        round(sum(part.holiday_error for part in parts) / holiday_persons, 4)
        if holiday_persons
        else float("nan"),
        round(float(np.concatenate([part.day_errors for part in parts]).mean()), 4),
        round(float(np.concatenate([part.hour_errors for part in parts]).mean()), 4),
    )


def covered(counts: Floats, low: Floats, high: Floats) -> tuple[int, int]:
    """Hours within the range, and hours in all."""
    is_told = ~np.isnan(counts) & ~np.isnan(low)
    within = is_told & (counts >= low) & (counts <= high)
    return int(within.sum()), int(is_told.sum())


def _relative(true: Floats, said: Floats) -> Floats:
    is_any = true > 0
    return np.abs(true - said)[is_any] / true[is_any]
