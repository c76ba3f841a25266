"""The comparison of readers of a network camera measures them all."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from bench.runtime import films
from bench.runtime.camera import camera


def test_every_reader_and_a_whole_camera_process_are_measured(tmp_path: Path) -> None:
    clip = films.make(tmp_path / "a.mp4", [number / 10 for number in range(30)])
    size = ["--size", "160", "128", "--fps", "200"]
    result = CliRunner().invoke(
        camera, ["--clip", str(clip), *size, "--pictures", "20", "--repetitions", "1", "--json"]
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert sorted(answer["costs"]) == ["bare PyAV", "opencv", "ours", "taken apart"]
    assert answer["process_ms"] > 0
    assert all(value > 0 for costs in answer["costs"].values() for value in costs.values())
