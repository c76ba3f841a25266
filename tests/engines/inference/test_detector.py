"""The detector as its users see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.errors import EngineError, WeightsError
from engines.inference.detector import PersonDetector
from tests.engines.networks import bright_spot_detector, constant_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bright_spot_detector(tmp_path_factory.mktemp("networks") / "spots.onnx")


def spot(width: int, height: int, left: int, top: int, side: int) -> np.ndarray:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[top : top + side, left : left + side] = 255
    return picture


def test_a_bright_square_is_found_where_it_is(backend: str, weights: Path) -> None:
    detector = PersonDetector.open(weights, backend=backend, score=0.9, threads=1)
    found = detector.detect(spot(416, 320, 68, 36, 64))
    assert found.scores.tolist() == pytest.approx([1.0], abs=1e-5)
    assert found.boxes[0] == pytest.approx([68, 36, 132, 100], abs=1e-3)


def test_boxes_come_in_pixels_of_the_picture_not_of_the_input(weights: Path) -> None:
    detector = PersonDetector.open(weights, score=0.9, threads=1)
    found = detector.detect(spot(832, 640, 136, 72, 128))
    assert found.boxes[0] == pytest.approx([136, 72, 264, 200], abs=1e-2)


def test_scores_fall_and_boxes_stay_in_the_picture(weights: Path) -> None:
    detector = PersonDetector.open(weights, score=0.2, threads=1)
    picture = np.random.default_rng(3).integers(0, 256, (200, 300, 3), np.uint8)
    found = detector.detect(picture)
    assert len(found) > 3
    assert (np.diff(found.scores) <= 0).all()
    assert (found.boxes[:, :2] >= 0).all()
    assert (found.boxes[:, 2] <= 300).all()
    assert (found.boxes[:, 3] <= 200).all()


def test_nothing_is_found_in_the_dark(weights: Path) -> None:
    found = PersonDetector.open(weights, threads=1).detect(np.zeros((100, 100, 3), np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)


def test_pictures_of_several_cameras_keep_their_order_and_size(backend: str, weights: Path) -> None:
    detector = PersonDetector.open(weights, backend=backend, score=0.8, threads=2, streams=2)
    pictures = [spot(416, 320, 32 * n, 64, 64) if n % 3 else spot(320, 416, 64, 32 * n, 64) for n in range(9)]
    together = detector.detect_batch(pictures)
    for picture, found in zip(pictures, together, strict=True):
        alone = detector.detect(picture)
        assert len(alone) >= 1
        assert np.array_equal(found.boxes, alone.boxes)
        assert np.array_equal(found.scores, alone.scores)


def test_a_stream_may_be_left_before_its_end(weights: Path) -> None:
    detector = PersonDetector.open(weights, score=0.8, threads=2, streams=2)
    stream = detector.detect_each(spot(416, 320, 96, 64, 64) for _ in range(20))
    next(stream)
    stream.close()
    assert len(detector.detect(spot(416, 320, 96, 64, 64))) > 0


def test_the_input_follows_the_pictures_shape_unless_told(weights: Path) -> None:
    assert PersonDetector.open(weights).input_size_for(1920, 1080) == (416, 256)
    assert PersonDetector.open(weights, input_size=(640, 384)).input_size_for(1920, 1080) == (640, 384)


def test_only_a_few_input_sizes_are_kept_compiled(weights: Path) -> None:
    detector = PersonDetector.open(weights, threads=1)
    for height in range(100, 400, 32):
        detector.detect(np.zeros((height, 400, 3), np.uint8))
    assert len(detector._compiled) == 4


def test_a_network_of_fixed_size_takes_any_picture(tmp_path: Path) -> None:
    path = bright_spot_detector(tmp_path / "fixed.onnx", size=(128, 64))
    detector = PersonDetector.open(path, score=0.9, threads=1)
    assert detector.input_size_for(640, 480) == (128, 64)
    assert len(detector.detect(spot(640, 320, 0, 0, 320))) > 0


@pytest.mark.parametrize(
    "picture",
    [np.zeros((10, 10), np.uint8), np.zeros((10, 10, 3), np.float32), np.zeros((0, 10, 3), np.uint8)],
    ids=["grey", "floats", "empty"],
)
def test_what_is_no_picture_is_refused(weights: Path, picture: np.ndarray) -> None:
    with pytest.raises(EngineError, match="a picture must be uint8"):
        PersonDetector.open(weights, threads=1).detect(picture)


def test_a_classifier_is_no_detector(tmp_path: Path) -> None:
    path = constant_network(tmp_path / "classifier.onnx", [np.zeros((1, 1000))])
    with pytest.raises(
        EngineError, match=r"classifier.onnx: outputs \[1, 1000\] are not those of a detector"
    ):
        PersonDetector.open(path)


def test_a_broken_networks_not_a_number_is_nobody(tmp_path: Path) -> None:
    rows = np.full((1, 84, 5), np.nan)
    rows[..., 4] = 0.9
    path = constant_network(tmp_path / "broken.onnx", [rows], decoder="ltrb")
    assert len(PersonDetector.open(path, threads=1).detect(np.ones((64, 64, 3), np.uint8))) == 0


def test_a_recipe_beside_the_file_settles_what_shapes_cannot(tmp_path: Path) -> None:
    table = np.zeros((1, 84, 84))
    table[0, :, 5] = [32, 32, 16, 16, *[0] * 79, 0.9]
    path = constant_network(tmp_path / "mine.onnx", [table])
    with pytest.raises(EngineError, match="found 0 of 7 persons"):
        PersonDetector.open(path)
    (tmp_path / "mine.yaml").write_text("decoder: yolov8\nperson: 79\nfit: corner\n")
    found = PersonDetector.open(path, threads=1).detect(np.zeros((64, 64, 3), np.uint8))
    assert found.boxes.tolist() == [[24, 24, 40, 40]]


def test_a_class_the_network_lacks_is_refused(tmp_path: Path) -> None:
    path = constant_network(tmp_path / "mine.onnx", [np.zeros((1, 84, 7))])
    (tmp_path / "mine.yaml").write_text("decoder: yolox\nperson: 2\n")
    with pytest.raises(WeightsError, match="class 2 is asked for, but the network has 2 classes"):
        PersonDetector.open(path)


def test_a_wrong_decoder_is_refused(tmp_path: Path) -> None:
    path = constant_network(tmp_path / "mine.onnx", [np.zeros((1, 84, 7))])
    (tmp_path / "mine.yaml").write_text("decoder: ssd\n")
    with pytest.raises(WeightsError, match=r"outputs \[1, 84, 7\] are not what decoder ssd reads"):
        PersonDetector.open(path)
