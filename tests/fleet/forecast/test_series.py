"""Zeros and outages are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from fleet.forecast.floor import mean_deviation, mean_relative_deviation
from fleet.forecast.series import DAY, WEEK, ages, without_outages


def weeks(count: int, value: float = 5.0) -> np.ndarray:
    return np.full((count * WEEK, 1), value)


def test_a_day_of_zeros_on_a_busy_street_is_missing_and_23_hours_are_not() -> None:
    counts = weeks(4)
    counts[100 : 100 + DAY] = 0
    counts[300 : 300 + DAY - 1] = 0
    found = without_outages(counts)
    assert np.flatnonzero(np.isnan(found[:, 0])).tolist() == list(range(100, 124))


def test_a_shop_that_is_shut_every_sunday_has_zeros_there() -> None:
    counts = weeks(6)
    for week in range(6):
        counts[week * WEEK : week * WEEK + 30] = 0
    assert np.array_equal(without_outages(counts), counts)


def test_hours_without_a_count_do_not_end_an_outage() -> None:
    counts = weeks(4)
    counts[100:125] = 0
    counts[110] = np.nan
    assert np.isnan(without_outages(counts)[100:125]).all()


def test_the_age_of_a_series_begins_with_its_first_count() -> None:
    counts = np.full((100, 2), np.nan)
    counts[40:, 0] = 1
    assert ages(counts).tolist() == [60, 0]


@pytest.mark.parametrize("mean", [0.3, 2.0, 20.0, 300.0])
def test_the_floor_is_what_drawn_counts_are_off(mean: float) -> None:
    drawn = np.random.default_rng(5).poisson(mean, 400_000)
    assert mean_deviation(np.array([mean]))[0] == pytest.approx(np.abs(drawn - mean).mean(), rel=0.01)
    some = drawn[drawn > 0]
    relative = np.mean(np.abs(some - mean) / some)
    assert mean_relative_deviation(np.array([mean]))[0] == pytest.approx(relative, rel=0.02)
