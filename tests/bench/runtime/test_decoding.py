"""The comparison of decoders measures both, and ours gets every film right."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from bench.runtime import films
from bench.runtime.decoding import decoding


def test_both_readers_are_measured_and_ours_is_right_about_every_film(tmp_path: Path) -> None:
    clip = films.make(tmp_path / "a.mp4", [number / 10 for number in range(30)])
    arguments = ["--clip", str(clip), "--frames", "20", "--repetitions", "1", "--json"]
    result = CliRunner().invoke(decoding, arguments)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output[result.output.index("{") :])
    assert all(value > 0 for costs in answer["costs"].values() for value in costs.values())
    assert len(answer["kinds"]) == 6
    for kind, both in answer["kinds"].items():
        ours = both["ours"]
        assert ours["came"] == ours["shown"] == ours["timed"] == ours["wanted"], kind
    assert answer["kinds"]["H.264 in MP4"]["opencv"]["shown"] == 30
