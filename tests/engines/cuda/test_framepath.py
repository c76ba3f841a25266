"""From the ring to tracks by the kernels: the persons of the CPU path."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from bench.gpu.parity import parity
from engines import backends
from engines.cuda import libraries
from testing.gpu.host_kernels.build import compiler


@pytest.fixture
def library() -> str:
    if not libraries.installed():
        pytest.skip("neither pycuda nor cuda-bindings is installed")
    if compiler() is None:
        pytest.skip("no C++ compiler (g++) to build the fake libcuda with")
    if "onnxruntime" not in backends.installed():
        pytest.skip("onnxruntime is not installed")
    return libraries.installed()[0]


def test_the_kernels_find_the_persons_of_the_cpu_path(library: str, shared_data: Path) -> None:
    clip = shared_data / "video-mot15-pets09-s2l1" / "PETS09-S2L1.mp4"
    if not clip.is_file():
        pytest.skip(f"{clip} is not here")
    given = ["--stand-in", "--frames", "8", "--library", library, "--clip", str(clip)]
    report = json.loads(CliRunner().invoke(parity, given, catch_exceptions=False).output)
    assert "no GPU" in report["where"]
    assert report["engine"] == "fake TensorRT in batches of 1, 2, a CUDA graph each, 2 in flight"
    assert report["frames"] == 8
    for camera in report["cameras"]:
        assert camera["boxes"] > 20
        assert camera["unmatched_boxes"] <= 1
        assert camera["largest_score_difference"] < 0.02
        assert camera["track_points"] > 5
        assert camera["other_track_points"] == 0


def test_a_clip_that_cannot_be_read_is_one_sentence(library: str, tmp_path: Path) -> None:
    from tagsight.errors import TagsightError

    with pytest.raises(TagsightError, match="there is no such file"):
        CliRunner().invoke(
            parity, ["--stand-in", "--clip", str(tmp_path / "none.mp4")], catch_exceptions=False
        )


def test_an_empty_picture_has_no_persons_by_either_path(library: str, tmp_path: Path) -> None:
    clip = tmp_path / "grey.avi"
    video = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 120))
    for _ in range(3):
        video.write(np.full((120, 160, 3), 90, np.uint8))
    video.release()
    given = ["--stand-in", "--frames", "3", "--library", library, "--clip", str(clip)]
    report = json.loads(CliRunner().invoke(parity, given, catch_exceptions=False).output)
    assert [(camera["boxes"], camera["track_points"]) for camera in report["cameras"]] == [(0, 0)] * 2
