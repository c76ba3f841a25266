"""The net beside the trees: it learns, stays within bounds, and knows no more than was counted."""

from __future__ import annotations

import sys
from datetime import timedelta

import numpy as np
import pytest

from fleet.errors import FleetError
from fleet.forecast.blend import Blend, blended, trees_and_net
from fleet.forecast.calendar import KnownDays
from fleet.forecast.models import Median
from fleet.forecast.series import DAY, WEEK
from tests.fleet.forecast.test_run import FIRST, panel, street, wape


def test_a_blend_meets_in_ratios_and_takes_what_only_one_knows() -> None:
    trees, net = np.array([[0.0, 3.0, np.nan, np.nan]]), np.array([[0.0, 15.0, 7.0, np.nan]])
    assert blended(trees, net, 0.5)[0] == pytest.approx([0.0, 7.0, 7.0, np.nan], nan_ok=True)
    assert blended(trees, net, 0.0)[0, :2] == pytest.approx([0.0, 3.0])
    assert blended(net, trees, 0.5)[0, 2] == 7.0


def test_a_blend_of_two_medians_lies_between_them() -> None:
    history = panel(street(30, 210), street(90, 210))
    low, high = (
        Median(weeks).fit(history, KnownDays(), 14).forecast(history, KnownDays(), 14) for weeks in (2, 8)
    )
    both = Blend(Median(2), Median(8)).fit(history, KnownDays(), 14).forecast(history, KnownDays(), 14)
    assert (both >= np.minimum(low, high) - 1e-9).all() and (both <= np.maximum(low, high) + 1e-9).all()


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(FleetError, match=r"pip install 'tagsight\[forecast,train\]'"):
        trees_and_net()


def test_the_net_forecasts_a_street_and_nothing_that_was_never_counted_or_is_shut() -> None:
    pytest.importorskip("torch", reason="the extra train is not installed")
    from fleet.forecast.wide_deep import NetRecipe, WideDeep

    days, ahead = 210, 14
    everything = panel(street(40, days + ahead), street(80, days + ahead), street(120, days + ahead))
    everything.counts.reshape(-1, DAY, 3)[:, :6, 1] = np.nan
    history = everything._replace(counts=everything.counts[: days * DAY])
    calendar = KnownDays(closed=[FIRST + timedelta(days + 3), FIRST + timedelta(30)])
    net = WideDeep(NetRecipe(steps=30, hidden=8)).fit(history, calendar, ahead)
    found = net.forecast(history, calendar, ahead)
    daily = found.reshape(ahead, DAY, 3)
    assert np.isnan(daily[:, :6, 1]).sum() == 6 * (ahead - 1), "and the day that is shut has nobody"
    assert (daily[3] == 0).all()
    true = everything.counts[days * DAY :]
    is_open = np.repeat(np.arange(ahead) != 3, DAY)
    assert wape(true[is_open][:, [0, 2]], found[is_open][:, [0, 2]]) < 0.35
    assert found[is_open][:, 2].sum() > 2 * found[is_open][:, 0].sum()
    again = WideDeep(NetRecipe(steps=30, hidden=8)).fit(history, calendar, ahead)
    assert np.array_equal(again.forecast(history, calendar, ahead), found, equal_nan=True)
    with pytest.raises(FleetError, match="too few for the net"):
        WideDeep(NetRecipe(steps=1)).fit(history._replace(counts=history.counts[: 5 * WEEK]), calendar, ahead)


def test_many_entrances_take_turns_so_that_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="the extra train is not installed")
    from fleet.forecast import wide_deep

    rows: list[int] = []
    plain = wide_deep.window

    def counted(*arguments):  # type: ignore[no-untyped-def]
        found = plain(*arguments)
        rows.append(len(found.series))
        return found

    monkeypatch.setattr(wide_deep, "MOST_ROWS", 60)
    monkeypatch.setattr(wide_deep, "window", counted)
    history = panel(*(street(level, 210) for level in (30, 60, 90, 120)))
    wide_deep.WideDeep(wide_deep.NetRecipe(steps=1, hidden=4)).fit(history, KnownDays(), 7)
    assert 30 <= sum(rows) <= 60
