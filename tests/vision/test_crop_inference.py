"""What the GPU has said is taken, and only the rest is left to the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.inference.detector import Detections
from runtime.vision.crop_inference import NO_HEADS, CropInference, FrameDetections, Heads
from runtime.vision.heads import open_heads
from runtime.vision.track import Track
from tests.engines.networks import mean_colour_network

BOXES = np.array([[10, 10, 50, 90], [100, 10, 150, 90], [150, 10, 190, 90]], np.float32)
FOUND = Detections(BOXES, np.array([0.9, 0.2, 0.8], np.float32))
MADE_UP = np.array([[1, 0, 0], [0, 1, 0], [np.nan] * 3], np.float32)


@pytest.fixture
def heads(tmp_path: Path) -> Heads:
    networks = {
        "appearance": str(mean_colour_network(tmp_path / "colours.onnx")),
        "action": str(mean_colour_network(tmp_path / "bright.onnx", logit=True)),
    }
    return Heads(open_heads(networks, backend="auto", threads=1))


def image() -> np.ndarray:
    return np.full((100, 200, 3), 255, np.uint8)


def no_image() -> np.ndarray:
    raise AssertionError("nothing is left to look at")


def track(number: int, left: float, width: float = 40.0, unseen_s: float = 0.0) -> Track:
    return Track(number, 0.0, (left, 10.0, width, 80.0), 0.9, None, None, None, unseen_s)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def test_who_was_not_looked_at_is_looked_at_here_and_weak_boxes_by_nobody(heads: Heads) -> None:
    vectors = CropInference(heads, FrameDetections(FOUND, {"appearance": MADE_UP}), image).appearances()
    assert vectors is not None
    np.testing.assert_allclose(vectors, [[1, 0, 0], [0, 0, 0], [3**-0.5] * 3], atol=1e-5)


def test_a_box_that_shows_nothing_looks_like_nobody(heads: Heads) -> None:
    outside = Detections(np.array([[-90, 10, -50, 90]], np.float32), np.array([0.9], np.float32))
    vectors = CropInference(heads, FrameDetections(outside), image).appearances()
    assert vectors is not None and vectors.tolist() == [[0.0, 0.0, 0.0]]


def test_a_track_has_the_answer_of_its_detection_and_the_others_are_judged_here(heads: Heads) -> None:
    on_gpu = {"action": column(0.25, 0.5, np.nan)}
    crops = CropInference(heads, FrameDetections(FOUND, on_gpu), image)
    tracks = [track(7, 14.0), track(8, 148.0), track(9, 60.0), track(10, 14.0, unseen_s=0.2)]
    values = heads.new_track_outputs().update(tracks, crops)["action"]
    assert values.keys() == {7, 8, 9}, "who is out of sight is not looked at"
    assert values[7] == (0.25,)
    assert values[8][0] > 0.9 and values[9][0] > 0.9, "white is bright"


def test_no_image_is_fetched_where_the_gpu_has_said_everything(heads: Heads) -> None:
    on_gpu = {"appearance": np.nan_to_num(MADE_UP), "action": column(0.25, 0.5, 0.75)}
    crops = CropInference(heads, FrameDetections(FOUND, on_gpu), no_image)
    assert crops.appearances() is not None
    values = heads.new_track_outputs().update([track(7, 14.0), track(8, 148.0)], crops)
    assert values == {"action": {7: (0.25,), 8: (0.75,)}}
    without = CropInference(NO_HEADS, FrameDetections(FOUND), no_image)
    assert without.appearances() is None
    assert NO_HEADS.new_track_outputs().update([track(7, 14.0)], without) == {}
