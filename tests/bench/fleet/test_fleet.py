"""The benchmark of the warehouse: every part runs, and no row differs."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from bench.fleet.command import fleet

pytest.importorskip("duckdb", reason="the extra fleet is not installed")


@pytest.mark.slow
def test_a_quick_run_compares_every_row_and_measures_against_plain_inserts() -> None:
    result = CliRunner().invoke(fleet, ["--quick", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["seeds"]["differing_rows"] == 0 < told["seeds"]["rows_compared"]
    assert told["without the rule"]["differing_rows"] > 0
    assert 0 < told["plain inserts"]["ratio"] < 1
    assert told["kills"]["differing_rows"] == told["backfill beside live"]["differing_rows"] == 0
