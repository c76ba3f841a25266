from __future__ import annotations

import json

from click.testing import CliRunner

from bench.runtime.ring import METHODS, ring


def test_every_method_hands_over_the_right_frames_and_is_compared_with_the_ring() -> None:
    result = CliRunner().invoke(ring, ["--width", "1280", "--height", "720", "--rounds", "12", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert set(report["methods"]) == set(METHODS)
    ratios = {name: method["read_ratio"] for name, method in report["methods"].items()}
    assert ratios["ring"] == 1.0
    assert ratios["pipe"] > ratios["shm"], "a pipe copies and unpickles, however busy the machine is"


def test_a_size_that_cannot_be_checked_is_refused() -> None:
    result = CliRunner().invoke(ring, ["--width", "9", "--height", "9"])
    assert "divisible by 8" in str(result.exception)
