"""The pool's labels: what the teachers may add, and what framing does to boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.evaluation import pool
from engines.evaluation import teachers as labels
from engines.evaluation.pool import Labels
from engines.evaluation.teachers import TeacherBoxes
from engines.training.detector import augment
from engines.training.detector.cutouts import cut_out

TRUTH = np.array([[10, 10, 50, 110]], np.float32)


def seen(*rows: tuple[float, ...]) -> TeacherBoxes:
    table = np.array(rows, np.float32).reshape(-1, 5)
    return TeacherBoxes(table[:, :4], table[:, 4])


def test_a_sure_teacher_adds_a_person_and_a_doubtful_one_a_place_to_look_away_from() -> None:
    found = labels.complete(
        Labels.certain(TRUTH), seen((200, 10, 240, 110, 0.7), (300, 10, 340, 110, 0.2)), trusted=False
    )
    assert found.boxes[:, 0].tolist() == [10, 200, 300]
    assert found.trust[0] == 1
    assert 0.5 < found.trust[1] < 1
    assert found.trust[2] == 0


def test_a_teacher_adds_no_person_where_the_truth_is_complete() -> None:
    found = labels.complete(Labels.certain(TRUTH), seen((200, 10, 240, 110, 0.9)), trusted=True)
    assert found.trust.tolist() == [1, 0]


def test_a_teachers_box_on_a_known_person_only_bounds_the_error() -> None:
    found = labels.complete(Labels.certain(TRUTH), seen((12, 10, 50, 110, 0.9)), trusted=False)
    assert len(found.boxes) == 1
    assert found.teacher_iou[0] == pytest.approx(38 / 40)


def test_a_rough_box_takes_the_sure_teachers_shape() -> None:
    better = labels.tightened(Labels.certain(TRUTH), seen((8, 0, 52, 112, 0.8)))
    assert better.boxes[0].tolist() == [8, 0, 52, 112]
    unsure = labels.tightened(Labels.certain(TRUTH), seen((8, 0, 52, 112, 0.3)))
    assert unsure.boxes[0].tolist() == TRUTH[0].tolist()


def test_two_teachers_who_agree_trust_each_other() -> None:
    both = labels.agree(seen((0, 0, 40, 100, 0.6)), seen((4, 0, 44, 100, 0.6)))
    assert len(both.boxes) == 1
    assert both.boxes[0, 0] == pytest.approx(2)
    assert both.scores[0] == pytest.approx(0.84)
    alone = labels.agree(seen((0, 0, 40, 100, 0.6)), seen())
    assert alone.scores[0] < 0.6


def test_suppression_keeps_the_best_of_a_heap() -> None:
    boxes = np.array([[0, 0, 40, 100], [2, 0, 42, 100], [100, 0, 140, 100]], np.float32)
    assert labels.suppress(boxes, np.array([0.5, 0.9, 0.3], np.float32), 0.5).tolist() == [1, 2]


def test_framing_moves_labels_with_the_picture() -> None:
    image = np.zeros((120, 200, 3), np.uint8)
    image[20:80, 40:60] = 255
    person = Labels.certain(np.array([[40, 20, 60, 80]], np.float32))
    canvas, moved = augment.framed(image, person, 0.5, (30, 10), (160, 96))
    assert canvas.shape == (96, 160, 3)
    left, top, right, bottom = moved.boxes[0]
    assert [left, top, right, bottom] == [50, 20, 60, 50]
    assert canvas[22:48, 52:58].min() > 200
    assert canvas[22:48, 64:70].max() < 100


def test_a_person_mostly_out_of_view_is_looked_away_from() -> None:
    people = Labels.certain(np.array([[-30, 0, 10, 100], [50, 0, 90, 100], [300, 0, 340, 100]], np.float32))
    cut = augment.clipped(people, (0, 0, 200, 100))
    assert cut.boxes.tolist() == [[0, 0, 10, 100], [50, 0, 90, 100]]
    assert cut.trust.tolist() == [0, 1]


def test_a_mirrored_picture_has_mirrored_labels() -> None:
    image = np.zeros((50, 100, 3), np.uint8)
    image[:, 10:20] = 255
    flipped, moved = augment.mirrored(image, Labels.certain(np.array([[10, 0, 20, 50]], np.float32)))
    assert moved.boxes[0].tolist() == [80, 0, 90, 50]
    assert flipped[:, 80:90].min() == 255


def test_weather_keeps_size_and_type_and_depends_on_the_seed_only() -> None:
    image = np.random.default_rng(1).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    for seed in range(20):
        first = augment.weathered(image, np.random.default_rng(seed))
        second = augment.weathered(image, np.random.default_rng(seed))
        assert first.shape == image.shape
        assert first.dtype == np.uint8
        assert (first == second).all()


def test_street_boxes_grow_to_take_in_the_head_but_not_beyond_the_picture() -> None:
    grown = pool.with_heads(np.array([[0, 100, 50, 200], [0, 5, 50, 105]], np.float32))
    assert grown[:, 1].tolist() == pytest.approx([79.5, 0])
    assert grown[:, 3].tolist() == [200, 105]


def test_yolo_labels_become_pixels_and_other_classes_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("0 0.5 0.5 0.2 0.4\n3 0.1 0.1 0.1 0.1\n")
    assert pool.yolo_boxes(file, 100, 200) == pytest.approx(np.array([[40, 60, 60, 140]]))


def test_a_pool_survives_writing_and_reading(tmp_path: Path) -> None:
    image = np.full((40, 60, 3), 90, np.uint8)
    entry = pool.save_image(
        tmp_path, pool.LabelledImage("a", "street", True, image, Labels.certain(TRUTH), complete=False)
    )
    pool.write_index(tmp_path, [entry])
    back = pool.read_index(tmp_path)
    assert back == [entry]
    assert back[0].labels().boxes.tolist() == TRUTH.tolist()
    assert pool.read_image(tmp_path / back[0].file).shape == image.shape


def test_a_person_on_a_plain_ground_is_cut_out_tight() -> None:
    rng = np.random.default_rng(2)
    image = (200 + rng.normal(0, 4, (200, 160, 3))).clip(0, 255).astype(np.uint8)
    image[50:170, 60:100] = (40 + rng.normal(0, 4, (120, 40, 3))).clip(0, 255).astype(np.uint8)
    image[50:110, 60:70] = image[50:110, 90:100] = 200
    cutout = cut_out(image, np.array([58, 48, 102, 172], np.float32))
    assert cutout is not None
    assert abs(cutout.image.shape[0] - 120) <= 4
    assert abs(cutout.image.shape[1] - 40) <= 4
    assert cut_out(image, np.array([5, 5, 15, 20], np.float32)) is None
