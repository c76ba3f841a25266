"""Forecasts of made-up streets whose true expectation is known."""

from __future__ import annotations

import sys
from datetime import date, timedelta

import numpy as np
import pytest

from fleet.errors import FleetError
from fleet.forecast.boosted import Settings
from fleet.forecast.calendar import KnownDays, of_country
from fleet.forecast.run import forecast
from fleet.forecast.series import DAY, WEEK, Floats, Panel

FIRST = date(2024, 1, 1)
DAYS = 540
AHEAD = 28
SMALL = Settings(rows=20_000, rounds=60, smallest_leaf=20)


def street(level: float, days: int = DAYS + AHEAD, holidays: tuple[int, ...] = ()) -> Floats:
    """Expected persons an hour: opening hours, busier at weekends, a third as many on holidays."""
    hour = np.arange(days * DAY)
    found = level * np.clip(np.sin((hour % DAY - 8) / 12 * np.pi), 0, 1) * (1 + 0.5 * (hour // DAY % 7 > 4))
    for day in holidays:
        found[day * DAY : (day + 1) * DAY] *= 1 / 3
    return found


def panel(*series: Floats) -> Panel:
    counts = np.random.default_rng(2).poisson(np.stack(series, 1)).astype(float)
    names = tuple(f"shop-{number}/door" for number in range(len(series)))
    return Panel(names, np.datetime64(FIRST), counts)


def wape(true: Floats, said: Floats) -> float:
    return float(np.abs(true - said).sum() / true.sum())


@pytest.fixture
def trees() -> None:
    pytest.importorskip("lightgbm", reason="the extra forecast is not installed")


@pytest.mark.usefixtures("trees")
def test_the_range_covers_four_of_five_hours_and_the_forecast_beats_the_median() -> None:
    everything = panel(street(30), street(60), street(120))
    history = everything._replace(counts=everything.counts[: DAYS * DAY])
    true = everything.counts[DAYS * DAY :]
    (ours,) = forecast(history, KnownDays(), AHEAD, settings=SMALL).parts
    (*medians,) = forecast(history, KnownDays(), AHEAD, model="median").parts
    plain = np.concatenate([part.expected for part in medians], 1)
    assert ours.model == "lightgbm"
    assert wape(true, ours.expected) < wape(true, plain)
    is_open = true > 0
    within = ((true >= ours.low) & (true <= ours.high))[is_open]
    assert 0.74 < within.mean() < 0.92


@pytest.mark.usefixtures("trees")
def test_a_holiday_is_known_from_the_one_a_year_before() -> None:
    holidays = (60, 120, 180, 60 + 365, 120 + 365, 180 + 365)
    everything = panel(*(street(level, holidays=holidays) for level in (60, 90, 120)))
    history = everything._replace(counts=everything.counts[: DAYS * DAY])
    calendar = KnownDays({FIRST + timedelta(day): f"Feast {day % 365}" for day in holidays})
    there = slice((180 + 365 - DAYS) * DAY, (181 + 365 - DAYS) * DAY)
    true = street(90, holidays=holidays)[DAYS * DAY :][there].sum()
    (known,) = forecast(history, calendar, AHEAD, settings=SMALL).parts
    (unknown,) = forecast(history, KnownDays(), AHEAD, settings=SMALL).parts
    assert unknown.expected[there, 1].sum() > 2.5 * true
    assert known.expected[there, 1].sum() < 2 * true


@pytest.mark.usefixtures("trees")
def test_a_shop_two_weeks_old_is_forecast_by_what_the_others_taught() -> None:
    everything = panel(street(30), street(60), street(120))
    history = everything._replace(counts=everything.counts[: DAYS * DAY].copy())
    history.counts[: -2 * WEEK, 2] = np.nan
    found = forecast(history, KnownDays(), AHEAD, settings=SMALL)
    old, young = found.parts
    assert old.columns.tolist() == [0, 1]
    assert young.columns.tolist() == [2]
    assert young.model == "lightgbm, pooled, 2 weeks"
    assert wape(street(120)[DAYS * DAY :], young.expected[:, 0]) < 0.2
    assert found.sentences == [
        "shop-2/door: 14 days of counts, so its forecast is learnt from 2 older entrances"
    ]


def test_what_is_too_short_silent_or_absent_is_said_and_not_forecast() -> None:
    counts = panel(street(30, 40), street(30, 40), street(30, 40), street(30, 40)).counts
    counts[: -9 * DAY, 1] = np.nan
    counts[-20 * DAY :, 2] = np.nan
    counts[:, 3] = np.nan
    found = forecast(Panel(("a/x", "b/x", "c/x", "d/x"), np.datetime64(FIRST), counts), KnownDays(), 7)
    assert [part.columns.tolist() for part in found.parts] == [[0]]
    assert found.sentences == [
        "b/x: 216 hours of counts in 9 days; 14 days are needed, so it has no forecast",
        "c/x: nothing was counted in the last 14 days, so it has no forecast",
        "d/x: nothing was counted there, so it has no forecast",
        "no entrance has 20 weeks of counts to learn from, so all have the median of 4 weeks",
    ]


@pytest.mark.parametrize("model", ["median", "lightgbm", "blend"])
def test_nobody_is_expected_on_a_day_on_which_shops_are_shut(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if model != "median":
        pytest.importorskip("lightgbm", reason="the extra forecast is not installed")
    if model == "blend":
        pytest.importorskip("torch", reason="the extra train is not installed")
        from fleet.forecast import wide_deep

        few = wide_deep.NetRecipe(steps=2, hidden=4)
        monkeypatch.setattr(wide_deep, "NetRecipe", lambda: few)
    history = panel(street(30, 210))
    calendar = KnownDays(closed=[FIRST + timedelta(212)])
    (found,) = forecast(history, calendar, 7, model, Settings(rows=5000, rounds=10)).parts
    daily = found.high.reshape(7, DAY).sum(1)
    assert daily[2] == 0 < daily[[0, 1, 3, 4, 5, 6]].min()


def test_where_mostly_nobody_comes_the_range_still_knows_of_somebody() -> None:
    history = panel(np.full(84 * DAY, 0.3))
    (found,) = forecast(history, KnownDays(), 7, "median").parts
    is_nobody = found.expected == 0
    assert is_nobody.sum() > WEEK / 2
    assert found.high[is_nobody].min() >= 1


def test_hours_that_were_never_counted_are_not_known() -> None:
    history = panel(street(30, 42))
    history.counts.reshape(-1, DAY)[:, :6] = np.nan
    (found,) = forecast(history, KnownDays(), 7, "median").parts
    assert np.isnan(found.expected.reshape(7, DAY)).all(0).tolist() == [True] * 6 + [False] * 18


@pytest.mark.parametrize("package", ["lightgbm", "holidays"])
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FleetError, match=r"pip install 'tagsight\[forecast\]'"):
        if package == "holidays":
            of_country("NZ", None, range(2025, 2026))
        else:
            forecast(panel(street(30, 210)), KnownDays(), 7)


def test_a_country_that_is_none_is_said() -> None:
    pytest.importorskip("holidays", reason="the extra forecast is not installed")
    assert of_country("NZ", "AUK", range(2025, 2026)).days(np.datetime64("2025-12-25"), 1).holiday[0] > 0
    with pytest.raises(FleetError, match="no holidays are known of 'Atlantis'"):
        of_country("Atlantis", None, range(2025, 2026))
