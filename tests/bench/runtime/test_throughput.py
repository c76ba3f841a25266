"""Both loops of the throughput benchmark really see, follow and count people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.runtime.throughput import ThroughputJob, repetition, throughput
from tagsight.errors import TagsightError

CLIP = "video-mot15-pets09-s2l1/PETS09-S2L1.mp4"
NANO = "det-yolox-nano/yolox_nano.onnx"


def test_ours_and_the_peer_see_the_same_crowd_in_the_same_frames(shared_data: Path) -> None:
    pytest.importorskip("supervision")
    arguments = ["--clip", str(shared_data / CLIP), "--detector", str(shared_data / NANO), "--json"]
    arguments += ["--peer-weights", str(shared_data / NANO), "--repetitions", "1", "--frames", "40"]
    result = CliRunner().invoke(throughput, arguments)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    ours, peer = answer["runs"]["ours"][0], answer["runs"]["peer"][0]
    assert ours["frames"] == peer["frames"] == 40
    assert 3 < ours["people"] < 8, "people in sight at the clip's beginning"
    assert ours["people"] == pytest.approx(peer["people"], abs=2)
    assert answer["ratio"] > 0


def test_a_loop_that_fails_is_one_sentence(tmp_path: Path, shared_data: Path) -> None:
    job = ThroughputJob("ours", shared_data / CLIP, shared_data / NANO, str(tmp_path / "none.onnx"), 1, 10)
    with pytest.raises(TagsightError, match=r"the ours loop failed: .*none.onnx: no such file"):
        repetition(job)
