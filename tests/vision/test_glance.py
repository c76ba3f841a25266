"""What the GPU has told is taken, and only the rest is asked of the onlooker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.inference.action import ActionJudge
from engines.inference.detector import Detections
from engines.inference.reid import PersonEmbedder
from runtime.vision.glance import Glance, Seen, Told
from runtime.vision.onlooker import NOBODY, Onlooker
from runtime.vision.track import Track
from tests.engines.networks import mean_colour_network

BOXES = np.array([[10, 10, 50, 90], [100, 10, 150, 90], [150, 10, 190, 90]], np.float32)
FOUND = Detections(BOXES, np.array([0.9, 0.2, 0.8], np.float32))
MADE_UP = np.array([[1, 0, 0], [0, 1, 0], [np.nan] * 3], np.float32)


@pytest.fixture
def onlooker(tmp_path: Path) -> Onlooker:
    looks = PersonEmbedder.open(mean_colour_network(tmp_path / "colours.onnx"), threads=1)
    return Onlooker(
        looks, ActionJudge.open(mean_colour_network(tmp_path / "bright.onnx", logit=True), threads=1)
    )


def picture() -> np.ndarray:
    return np.full((100, 200, 3), 255, np.uint8)


def no_picture() -> np.ndarray:
    raise AssertionError("nothing is left to look at")


def track(number: int, left: float, width: float = 40.0) -> Track:
    return Track(number, 0.0, (left, 10.0, width, 80.0), 0.9, None, None, None)


def test_who_was_not_looked_at_is_looked_at_here_and_weak_boxes_by_nobody(onlooker: Onlooker) -> None:
    vectors = Glance(onlooker, Seen(FOUND, Told(MADE_UP)), picture).appearances()
    assert vectors is not None
    np.testing.assert_allclose(vectors, [[1, 0, 0], [0, 0, 0], [3**-0.5] * 3], atol=1e-5)


def test_a_track_has_the_answer_of_its_detection_and_the_others_are_judged_here(onlooker: Onlooker) -> None:
    suspicions = np.array([0.25, 0.5, np.nan], np.float32)
    tracks = [track(7, 14.0), track(8, 148.0), track(9, 60.0)]
    handling = Glance(onlooker, Seen(FOUND, Told(None, suspicions)), picture).handling(tracks)
    assert handling[7] == 0.25
    assert handling[8] > 0.9 and handling[9] > 0.9, "white is bright"


def test_no_picture_is_fetched_where_the_gpu_has_told_everything(onlooker: Onlooker) -> None:
    told = Told(np.nan_to_num(MADE_UP), np.array([0.25, 0.5, 0.75], np.float32))
    glance = Glance(onlooker, Seen(FOUND, told), no_picture)
    assert glance.appearances() is not None
    assert glance.handling([track(7, 14.0), track(8, 148.0)]) == {7: 0.25, 8: 0.75}
    assert Glance(NOBODY, Seen(FOUND), no_picture).appearances() is None
    assert Glance(NOBODY, Seen(FOUND), no_picture).handling([track(7, 14.0)]) == {}
