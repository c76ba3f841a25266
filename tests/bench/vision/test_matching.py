from __future__ import annotations

import msgspec
from click.testing import CliRunner

from bench.vision.matching import MatchingReport, matching


def test_the_bench_prints_its_report_as_json() -> None:
    done = CliRunner().invoke(matching, ["--scenes", "2", "--json"])
    assert done.exit_code == 0
    report = msgspec.json.decode(done.output, type=MatchingReport)
    assert report.flips > 10
    assert 0.5 < report.right_share <= 1.0


def test_the_same_seed_gives_the_same_figures() -> None:
    first, second = (CliRunner().invoke(matching, ["--scenes", "2"]).output for _ in range(2))
    assert first == second
