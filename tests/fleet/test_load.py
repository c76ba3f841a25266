"""Made-up shops through the warehouse: every table is that of the oracle, and a broken rule is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.load import arrivals, oracle
from fleet.load.run import run


def test_one_seed_differs_in_no_row(tmp_path: Path) -> None:
    found = run(tmp_path, stores=6, days=2, seed=4)
    assert found.differing == {} and found.answers >= 8 and found.rows > 3000
    assert found.revised_share >= 0.05
    assert found.counters["refused"] > 0 and found.counters["duplicates"] > 100
    assert found.counters["unreadable"] == 3 and found.counters["unknown_kind"] == 1
    assert 0 < found.peak_mb <= 100


def test_without_the_rule_of_revisions_rows_differ(tmp_path: Path) -> None:
    found = run(tmp_path, stores=3, days=1, seed=4, shuffled=True, highest_holds=False)
    assert found.differing_rows > 20


def test_in_random_order_nothing_differs_and_a_batch_may_be_a_single_line(tmp_path: Path) -> None:
    found = run(tmp_path, stores=2, days=1, seed=5, visitors=8, shuffled=True, batch=7)
    assert found.differing == {} and found.counters["older"] > 10


def test_the_same_seed_makes_the_same_lines(tmp_path: Path) -> None:
    made = [tmp_path / name for name in ("a", "b")]
    for file in made:
        arrivals.write(file, stores=2, days=1, seed=9, visitors=5)
    one, other = (file.read_bytes() for file in made)
    assert _without_ids(one) == _without_ids(other)


def _without_ids(lines: bytes) -> list[bytes]:
    return [line.partition(b'"id":')[0] + line.partition(b'"site":')[2] for line in lines.splitlines()]


@pytest.mark.parametrize("table", ["dws_match_day", "ads_tryon_end", "dws_coverage_day"])
def test_the_oracle_finds_something_to_compare(tmp_path: Path, table: str) -> None:
    file = tmp_path / "lines"
    arrivals.write(file, stores=2, days=2, seed=1)
    assert len(oracle.answers(file)[table]) > 2
