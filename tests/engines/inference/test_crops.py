"""Networks that look at persons one by one, and what is made of their answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.catalogue.source import NetworkSource, locate
from engines.errors import EngineError, WeightsError
from engines.inference.action import ActionClassifier
from engines.inference.crops import CropNetwork, cut, shown
from engines.inference.reid import PersonEmbedder
from tests.engines.networks import bright_spot_detector, mean_colour_network

BACKENDS = ("openvino", "onnxruntime")
RED, BLUE = (0, 0, 255), (255, 0, 0)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mean_colour_network(tmp_path_factory.mktemp("networks") / "colours.onnx")


@pytest.fixture(scope="module")
def brightness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mean_colour_network(tmp_path_factory.mktemp("networks") / "brightness.onnx", logit=True)


@pytest.fixture
def picture() -> np.ndarray:
    """Left half red, right half blue."""
    image = np.zeros((200, 300, 3), np.uint8)
    image[:, :150], image[:, 150:] = RED, BLUE
    return image


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_box_is_answered_in_its_own_row(colours: Path, picture: np.ndarray, backend: str) -> None:
    pytest.importorskip(backend)
    network = CropNetwork(locate(colours, backend), "reid", backend=backend, threads=2, streams=2)
    boxes = [[10, 20, 60, 150], [200, 5, 260, 190], [100, 0, 200, 200]] * 4
    rows = network.rows(picture, boxes)
    assert rows.shape == (12, 3)
    expected = [[0, 0, 1], [1, 0, 0], [0.5, 0, 0.5]] * 4
    np.testing.assert_allclose(rows, expected, atol=0.02)


def test_a_box_that_shows_nothing_is_not_answered(colours: Path, picture: np.ndarray) -> None:
    network = CropNetwork(locate(colours, "openvino"), "reid")
    rows = network.rows(picture, [[-80, 0, -10, 50], [40, 40, 40, 90], [np.nan, 0, 9, 9], [10, 10, 60, 90]])
    assert np.isnan(rows[:3]).all()
    assert np.isfinite(rows[3]).all()
    assert len(network.rows(picture, [])) == 0


def test_a_network_may_look_beyond_the_box(colours: Path, picture: np.ndarray, tmp_path: Path) -> None:
    wide = tmp_path / "wide.onnx"
    wide.write_bytes(colours.read_bytes())
    wide.with_suffix(".yaml").write_text("grown: [1.0, 0.0]")
    box = [[100, 20, 150, 150]]
    tight = CropNetwork(locate(colours, "openvino"), "action").rows(picture, box)
    grown = CropNetwork(locate(wide, "openvino"), "action").rows(picture, box)
    np.testing.assert_allclose(tight[0], [0, 0, 1], atol=0.05)
    np.testing.assert_allclose(grown[0], [1 / 3, 0, 2 / 3], atol=0.05)


def test_large_people_are_averaged_not_sampled() -> None:
    stripes = np.zeros((1000, 600, 3), np.uint8)
    stripes[::2] = 255
    crop = cut(stripes, (50.0, 40.0, 550.0, 960.0), (32, 64))
    assert crop.shape == (64, 32, 3)
    assert abs(float(crop.mean()) - 127.5) < 3
    assert float(crop.std()) < 20


def test_beyond_the_picture_its_edge_goes_on(picture: np.ndarray) -> None:
    crop = cut(picture, (250.0, -100.0, 350.0, 300.0), (32, 64))
    assert (crop == BLUE).all()


def test_only_boxes_with_a_pixel_in_the_picture_are_shown() -> None:
    boxes = np.array([[0, 0, 10, 10], [295, 0, 320, 50], [299.5, 0, 310, 50], [0, 300, 10, 310.0]])
    assert shown(boxes, 300, 200).tolist() == [0, 1]


def test_embeddings_have_length_one_and_like_colours_are_alike(colours: Path, picture: np.ndarray) -> None:
    embedder = PersonEmbedder.open(colours, threads=1)
    vectors = embedder.embed(
        picture, [[10, 20, 60, 150], [70, 20, 120, 150], [200, 5, 260, 190], [0, 0, 0, 0]]
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.99 > 0.1 > vectors[0] @ vectors[2]


def test_suspicion_is_a_probability_with_the_threshold_in_the_middle(brightness: Path) -> None:
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200], image[:, 200:] = 127, 255
    judge = ActionClassifier.open(brightness, threads=1)
    dark, grey, bright, nowhere = judge.handling_probability(
        image, [[0, 0, 90, 100], [110, 0, 190, 100], [210, 0, 290, 100], [400, 0, 500, 100]]
    ).tolist()
    assert dark < 0.05
    assert grey == pytest.approx(0.5, abs=0.02)
    assert bright > 0.95
    assert np.isnan(nowhere)


def test_what_is_no_picture_is_refused(colours: Path) -> None:
    with pytest.raises(EngineError, match="uint8"):
        PersonEmbedder.open(colours).embed(np.zeros((10, 10), np.uint8), [[0, 0, 5, 5]])


def test_a_network_of_another_kind_is_refused_in_a_sentence(colours: Path, tmp_path: Path) -> None:
    detector = bright_spot_detector(tmp_path / "spots.onnx")
    with pytest.raises(WeightsError, match="fixed size"):
        PersonEmbedder.open(detector)
    fixed = bright_spot_detector(tmp_path / "fixed.onnx", size=(64, 64))
    with pytest.raises(WeightsError, match=r"answers with \[n, k\]"):
        PersonEmbedder.open(fixed)
    with pytest.raises(WeightsError, match="one number a crop"):
        ActionClassifier.open(colours)
    with pytest.raises(WeightsError, match="is for detector"):
        PersonEmbedder.open("person-detector")


def test_a_source_of_ones_own_can_be_run(colours: Path) -> None:
    network = CropNetwork(
        NetworkSource(colours, locate(colours, "openvino").recipe), "reid", streams=8, threads=2
    )
    assert network.size_wh == (32, 64)
    assert network.answers == 3
