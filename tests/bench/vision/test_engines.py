"""Speed and accuracy of the detectors: what is compared with what, and which bars are met."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.vision import accuracy
from bench.vision.accuracy import Rating
from bench.vision.engines import measure_speed, verdicts
from bench.vision.near_copies import have_near_copy, thumbnail
from engines.evaluation.pool import Labels


def rating(detector: str, data: str, ap50: float, *, ours: bool) -> Rating:
    return Rating(detector, "fp32", ours, data, 10, ap50, 0.5, 0.9, 0.9)


def test_on_surveillance_the_better_teacher_is_a_bar_too() -> None:
    ratings = [
        rating("mine", "TUD-Campus", 0.905, ours=True),
        rating("mine", "COCO, held out", 0.31, ours=True),
        rating("weak-teacher", "TUD-Campus", 0.8, ours=False),
        rating("good-teacher", "TUD-Campus", 0.93, ours=False),
        rating("good-teacher", "COCO, held out", 0.6, ours=False),
    ]
    assert verdicts(ratings) == [
        "mine in fp32 at 416, TUD-Campus: 0.905, 0.900 owed: met",
        "mine in fp32 at 416, TUD-Campus: 0.905, 0.930 the better teacher, good-teacher: missed",
        "mine in fp32 at 416, COCO, held out: 0.310, 0.500 owed: missed",
    ]


def test_every_shipped_precision_is_measured_beside_both_teachers(shared_data: Path) -> None:
    found = accuracy.contenders(shared_data, 1)
    assert [one.name for one in found if not one.ours] == list(accuracy.TEACHERS)
    ours = {one.precision for one in found if one.name == "person-detector"}
    assert {"fp32", "int8"} <= ours
    sizes = {
        one.input: one.detector for one in found if (one.name, one.precision) == ("person-detector", "fp32")
    }
    assert sizes["416"].input_size_for(768, 576) == (416, 320)
    assert sizes["320"].input_size_for(768, 576) == (320, 256)
    assert sizes["640 x 384"].input_size_for(768, 576) == (640, 384)


def test_a_detector_that_sees_what_the_truth_says_is_rated_one(shared_data: Path) -> None:
    nano = accuracy.teacher(shared_data, accuracy.NANO, 1)
    photo = next((shared_data / "img-street-people" / "images").glob("*.jpg"))
    image = np.asarray(cv2.imread(str(photo)), np.uint8)
    seen = nano.detector.detect(image)
    sure = Labels.certain(seen.boxes[:1])
    doubtful = Labels(
        seen.boxes[1:], np.zeros(len(seen) - 1, np.float32), np.zeros(len(seen) - 1, np.float32)
    )
    elsewhere = Labels.certain(seen.boxes[:1] + np.float32(500))
    truths: dict[str, list[Labels | None]] = {
        "itself": [Labels.joined([sure, doubtful])],
        "elsewhere": [elsewhere],
    }
    found = accuracy.rate(nano, accuracy.Pictures([image], truths))
    assert [rating.data for rating in found] == list(truths)
    assert [rating.ap50 for rating in found] == pytest.approx([1.0, 0.0])


def test_a_truth_may_leave_pictures_out(shared_data: Path) -> None:
    nano = accuracy.teacher(shared_data, accuracy.NANO, 1)
    photo = next((shared_data / "img-street-people" / "images").glob("*.jpg"))
    image = np.asarray(cv2.imread(str(photo)), np.uint8)
    seen = Labels.certain(nano.detector.detect(image).boxes)
    wrong = Labels.certain(seen.boxes + np.float32(500))
    truths: dict[str, list[Labels | None]] = {"all": [seen, wrong], "first": [seen, None]}
    of_all, of_first = accuracy.rate(nano, accuracy.Pictures([image, image], truths))
    assert (of_all.pictures, of_first.pictures) == (2, 1)
    assert of_first.ap50 == pytest.approx(1.0) and of_all.ap50 < 0.9
    assert accuracy.every_nth([seen] * 5, 2) == [seen, None, seen, None, seen]


def test_the_next_frame_and_the_mirror_image_are_near_copies_another_scene_is_none() -> None:
    rng = np.random.default_rng(0)
    scene, other = (
        cv2.resize(rng.integers(0, 256, (9, 12, 3), np.uint8), (240, 180), interpolation=cv2.INTER_CUBIC)
        for _ in range(2)
    )
    moved = np.roll(scene, 2, axis=1)
    held_out = [thumbnail(np.asarray(one, np.uint8)) for one in (moved, other, np.zeros_like(scene))]
    for copy in (scene, scene[:, ::-1].copy()):
        found = have_near_copy(held_out, [thumbnail(np.asarray(copy, np.uint8))])
        assert found.tolist() == [True, False, False]
    assert have_near_copy(held_out, []).tolist() == [False] * 3


def test_speed_is_told_as_a_multiple_of_yolox_nano_in_the_same_run(shared_data: Path) -> None:
    nano = accuracy.teacher(shared_data, accuracy.NANO, 1)
    retail = accuracy.teacher(shared_data, accuracy.RETAIL, 1)
    of_nano, of_retail = measure_speed([nano, retail], 1)
    assert of_nano.times_nano == of_nano.times_nano_processor == 1.0
    assert of_nano.input == "416 x 416"
    assert of_retail.times_nano == pytest.approx(of_nano.picture_ms / of_retail.picture_ms)
