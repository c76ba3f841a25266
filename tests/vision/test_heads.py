"""What heads say of people, on the way from the frame to the record; and how another head is added."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.errors import EngineError
from engines.inference.detector import Detections, PersonDetector
from runtime import messages
from runtime.config import Engines
from runtime.config.sections.engines import Network, network_keys
from runtime.messages import Person, PersonsSeen
from runtime.vision import heads as heads_package
from runtime.vision.crop_inference import NO_HEADS, CropInference, FrameDetections, Heads
from runtime.vision.heads import known_heads, networks_of, open_heads
from runtime.vision.heads.appearance import Colours
from runtime.vision.pipeline import analyse
from runtime.vision.records import MAX_OUTPUT_NUMBERS, MAX_PERSONS, persons_seen
from runtime.vision.track import CameraView, FloorTracker, Track, TrackerSettings
from tests.engines.networks import bright_spot_detector, mean_colour_network
from tests.processes.test_vision_process import FakeShop
from tests.vision.test_pipeline import HEIGHT, WIDTH, walker


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> PersonDetector:
    path = bright_spot_detector(tmp_path_factory.mktemp("networks") / "spots.onnx")
    path.with_suffix(".yaml").write_text("decoder: ltrb\nscore: 0.8")
    return PersonDetector.open(path, threads=1)


def opened(**networks: str | Path) -> Heads:
    named = {name: str(network) for name, network in networks.items()}
    return Heads(open_heads(named, backend="auto", threads=1))


def follower(heads: Heads) -> FloorTracker:
    return FloorTracker(TrackerSettings(), CameraView(WIDTH, HEIGHT), heads.appearance_size)


def followed(detector: PersonDetector, heads: Heads, frames: int = 25) -> list[Person]:
    """The confirmed people of every frame, as the store is told."""
    people: list[Person] = []
    for seen in analyse(walker(frames), detector, follower(heads), heads):
        people += persons_seen(
            "door", seen.frame.index, seen.frame.time_s, seen.tracks, seen.ended, 1000, seen.values
        ).persons
    assert people, "the walker was never confirmed"
    return people


def test_handling_of_confirmed_people_reaches_the_record(detector: PersonDetector, tmp_path: Path) -> None:
    network = mean_colour_network(tmp_path / "bright.onnx", logit=True)
    judged = [person.handling for person in followed(detector, opened(action=network))]
    assert all(value is not None and value > 0.8 for value in judged), "a white square is bright"


def test_without_heads_nobody_is_judged(detector: PersonDetector) -> None:
    assert all(person.handling is None for person in followed(detector, NO_HEADS))


@pytest.mark.parametrize("kind", ["colours", "network"])
def test_the_tracker_is_told_how_everybody_looks(detector: PersonDetector, tmp_path: Path, kind: str) -> None:
    network = mean_colour_network(tmp_path / "colours.onnx")
    heads = opened(appearance="colours" if kind == "colours" else network)
    seen = list(analyse(walker(25), detector, follower(heads), heads))
    assert seen[-1].tracks[0].confirmed


def test_boxes_the_tracker_drops_are_not_looked_at() -> None:
    image = np.full((100, 200, 3), 200, np.uint8)
    boxes = np.array([[10, 10, 50, 90], [100, 10, 150, 90]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.2], np.float32))
    embeddings = CropInference(
        opened(appearance="colours"), FrameDetections(found), lambda: image
    ).appearances()
    assert embeddings is not None
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), [1.0, 0.0], atol=1e-6)


def test_the_config_says_which_heads_are_on(tmp_path: Path) -> None:
    assert networks_of(Engines()) == {}
    assert opened(appearance="colours").appearance_size == Colours.size
    network = mean_colour_network(tmp_path / "colours.onnx")
    assert networks_of(Engines(appearance=str(network))) == {"appearance": str(network)}
    assert opened(appearance=network).appearance_size == 3
    with pytest.raises(EngineError, match="no engine is called 'person-rieds'"):
        opened(appearance="person-rieds")
    with pytest.raises(EngineError, match="answers with 1 number a crop, this one with 3"):
        opened(action=network)
    with pytest.raises(EngineError, match="no head is called hats"):
        opened(hats=network)


def test_every_head_has_a_key_that_may_name_a_file() -> None:
    assert {head.name for head in known_heads()} <= set(network_keys(Engines))


BRIGHTNESS = '''
"""How bright people are, over all of their track."""

from engines.inference.action import probabilities
from runtime.vision.heads.aggregation import Mean
from runtime.vision.heads.head import Head

HEAD = Head("brightness", task="brightness", decode=probabilities, aggregation=Mean, answers=1)
'''


class WithBrightness(Engines, frozen=True, kw_only=True):
    brightness: Network = "none"


@pytest.fixture
def brightness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The value of the key of a third head: one file beside the others, and one key."""
    (tmp_path / "brightness.py").write_text(BRIGHTNESS)
    monkeypatch.setattr(heads_package, "__path__", [*heads_package.__path__, str(tmp_path)])
    return str(mean_colour_network(tmp_path / "brightness.onnx", logit=True))


def test_a_third_head_takes_one_file_and_one_key(detector: PersonDetector, brightness: str) -> None:
    engines = WithBrightness(brightness=brightness)
    assert network_keys(WithBrightness)[-1] == "brightness", "its files are found as those of the others"
    heads = opened(**networks_of(engines))
    rows: list[float] = []
    means: list[tuple[float, float]] = []
    for seen in analyse(walker(25), detector, follower(heads), heads):
        now = [track for track in seen.tracks if track.confirmed and track.unseen_s == 0.0]
        if now:
            crops = CropInference(
                heads, FrameDetections(seen.detections), lambda image=seen.frame.image: image
            )
            assert now[0].id is not None
            rows.append(float(crops.of_tracks(heads.on_tracks[0], now)[now[0].id][0]))
            means.append((seen.values["brightness"][now[0].id][0], float(np.mean(rows))))
    assert len(means) > 10 and len(set(rows)) > 1
    ours, wanted = zip(*means, strict=True)
    np.testing.assert_allclose(ours, wanted, rtol=1e-6)


def test_a_third_heads_output_reaches_the_store(tmp_path: Path, brightness: str) -> None:
    weights = bright_spot_detector(tmp_path / "spots.onnx")
    weights.with_suffix(".yaml").write_text("decoder: ltrb\nscore: 0.8")
    shop = FakeShop(weights, ("door",), brightness=brightness)
    shop.attach_camera("door")
    shop.walk("door", 20, 100.0)
    shop.stop()
    people = [person for record in shop.records() for person in record.persons]
    last = people[-1]
    assert last.handling is None
    assert last.outputs["brightness"][0] > 0.8


def test_the_largest_record_with_outputs_of_all_heads_can_be_sent() -> None:
    tracks = [
        Track(number, 0.0, (1e3 / 3,) * 4, 1 / 3, (1 / 3, 1 / 3), None, None) for number in range(MAX_PERSONS)
    ]
    values = {
        "action": {track.id: (1 / 3,) for track in tracks},
        "attributes": {track.id: (1 / 3,) * MAX_OUTPUT_NUMBERS for track in tracks},
        "too many": {track.id: (1 / 3,) for track in tracks},
    }
    record = persons_seen("c" * 64, 1, 0.0, tracks, range(256), 86_400_000, values)
    assert record.persons[0].outputs.keys() == {"attributes"}, "what is beyond the limit is left out"
    assert isinstance(messages.decode(messages.encode(record)), PersonsSeen)
