"""How people look and whether they handle goods, on the way from picture to record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.errors import EngineError
from engines.inference.action import ActionJudge
from engines.inference.detector import Detections, PersonDetector
from engines.inference.reid import PersonEmbedder
from runtime.config import Engines
from runtime.vision.onlooker import NOBODY, Colours, Onlooker, onlooker_for
from runtime.vision.pipeline import analyse
from runtime.vision.records import persons_seen
from runtime.vision.track import CameraView, FloorTracker, TrackerSettings
from tests.engines.networks import bright_spot_detector, mean_colour_network
from tests.vision.test_pipeline import HEIGHT, WIDTH, walker


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> PersonDetector:
    path = bright_spot_detector(tmp_path_factory.mktemp("networks") / "spots.onnx")
    path.with_suffix(".yaml").write_text("decoder: ltrb\nscore: 0.8")
    return PersonDetector.open(path, threads=1)


def follower(onlooker: Onlooker) -> FloorTracker:
    return FloorTracker(TrackerSettings(), CameraView(WIDTH, HEIGHT), onlooker.appearance_size)


def test_handling_of_confirmed_people_reaches_the_record(detector: PersonDetector, tmp_path: Path) -> None:
    network = mean_colour_network(tmp_path / "bright.onnx", logit=True)
    onlooker = Onlooker(judge=ActionJudge.open(network, threads=1))
    judged = []
    for seen in analyse(walker(25), detector, follower(onlooker), onlooker):
        record = persons_seen(
            "door", seen.frame.index, seen.frame.time_s, seen.tracks, seen.ended, 1000, seen.handling
        )
        judged += [person.handling for person in record.persons]
    assert judged, "the walker was never confirmed"
    assert all(value is not None and value > 0.8 for value in judged), "a white square is bright"


def test_without_a_judge_nobody_is_judged(detector: PersonDetector) -> None:
    for seen in analyse(walker(20), detector, follower(NOBODY)):
        record = persons_seen("door", 0, 0.0, seen.tracks, handling=seen.handling)
        assert all(person.handling is None for person in record.persons)


@pytest.mark.parametrize("kind", ["colours", "network"])
def test_the_tracker_is_told_how_everybody_looks(detector: PersonDetector, tmp_path: Path, kind: str) -> None:
    network = mean_colour_network(tmp_path / "colours.onnx")
    onlooker = Onlooker(Colours() if kind == "colours" else PersonEmbedder.open(network, threads=1))
    seen = list(analyse(walker(25), detector, follower(onlooker), onlooker))
    assert seen[-1].tracks[0].confirmed


def test_boxes_the_tracker_drops_are_not_looked_at(tmp_path: Path) -> None:
    image = np.full((100, 200, 3), 200, np.uint8)
    boxes = np.array([[10, 10, 50, 90], [100, 10, 150, 90]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.2], np.float32))
    looks = Onlooker(Colours()).appearances(image, found)
    assert looks is not None
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), [1.0, 0.0], atol=1e-6)
    assert NOBODY.appearances(image, found) is None


def test_the_config_says_what_to_look_for(tmp_path: Path) -> None:
    assert onlooker_for(Engines(), 1).idle
    colours = onlooker_for(Engines(appearance="colours"), 1)
    assert not colours.idle
    assert colours.appearance_size == Colours.size
    network = mean_colour_network(tmp_path / "colours.onnx")
    assert onlooker_for(Engines(appearance=str(network)), 1).appearance_size == 3
    with pytest.raises(EngineError, match="no engine is called 'person-rieds'"):
        onlooker_for(Engines(appearance="person-rieds"), 1)
