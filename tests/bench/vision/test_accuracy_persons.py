"""What is measured of the nets on single persons: the arithmetic, and the labels."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.vision import accuracy_action, accuracy_reid
from bench.vision.accuracy_action import LABELS
from bench.vision.accuracy_reid import BEHIND, COLOURS, OURS, ReidRating
from engines.errors import TrainingError
from engines.evaluation.eye_labels import LabelledBox, labelled_images, read_labels
from engines.training import crops
from engines.training.crops import gather

POOL_LABELS = Path(crops.__file__).with_name("action-pool.csv")


def unit(*angles_deg: float) -> np.ndarray:
    angles = np.radians(angles_deg)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_retrieval_counts_only_sightings_far_enough_apart() -> None:
    ids, numbers = np.array([1, 1, 1, 2, 2]), np.array([1, 20, 400, 1, 400])
    vectors = unit(0, 1, 50, 45, 91)
    found = accuracy_reid.rate("toy", vectors, ids, numbers, apart=100)
    assert found.queries == 5
    assert found.numbers == 2
    # Person 1 at frame 1 sees 45 degrees (2) before 50 (1); the one at 1 degree is too near in time.
    assert found.rank1 == pytest.approx(0.0)
    precisions = [1 / 2, 1 / 2, (1 / 3 + 2 / 4) / 2, 1 / 4, 1 / 2]
    assert found.mean_ap == pytest.approx(np.mean(precisions))


def test_perfect_vectors_are_perfect() -> None:
    ids, numbers = np.array([1, 2, 1, 2, 3]), np.array([1, 1, 300, 300, 1])
    found = accuracy_reid.rate("toy", unit(0, 90, 2, 88, 45), ids, numbers)
    assert (found.queries, found.rank1, found.mean_ap) == (4, 1.0, 1.0), "person 3 is seen once: no query"


def rating(name: str, figure: float) -> ReidRating:
    return ReidRating(name, 8, 100, figure, figure)


@pytest.mark.parametrize(
    ("fused", "said"), [(0.45, ["met"] * 3), (0.42, ["met", "met", "missed"]), (0.30, ["missed"] * 3)]
)
def test_verdicts_name_teacher_colours_and_branches(fused: float, said: list[str]) -> None:
    ratings = [rating(OURS[0], 0.43), rating(OURS[1], 0.40), rating(OURS[2], fused)]
    ratings += [
        rating("osnet_x0_25", 0.42 + BEHIND - 0.01),
        rating("retail_0286", 0.2),
        rating(COLOURS, 0.41),
    ]
    lines = accuracy_reid.verdicts(ratings)
    assert [line.rsplit(", ", 1)[1] for line in lines] == said * 2
    assert "osnet" in lines[0]


def test_action_figures_at_the_threshold_and_at_the_precision_owed() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3])
    truth = np.array([True, True, False, True, True, False])
    found = accuracy_action.rate("toy", scores, truth)
    assert found.precision == pytest.approx(3 / 4)
    assert found.recall == pytest.approx(3 / 4)
    assert found.recall_at_owed == pytest.approx(1.0), "the first five hold four of four at 4/5"
    assert found.average_precision == pytest.approx(np.mean([1, 1, 3 / 4, 4 / 5]))


def test_at_least_three_hundred_crops_are_labelled_clearly_and_once() -> None:
    boxes = read_labels(LABELS)
    kinds = Counter(box.label for box in boxes)
    assert kinds["handling"] + kinds["not"] >= 300
    assert kinds["handling"] >= 50
    assert len({(box.clip, box.frame, box.box) for box in boxes}) == len(boxes)
    assert all(box.box[0] < box.box[2] and box.box[1] < box.box[3] for box in boxes)


def test_no_labelled_crop_is_trained_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from engines.training.crops import action_data

    entries = [
        {
            "file": f"{source}-{frame:05d}.jpg",
            "source": source,
            "held_out": False,
            "boxes": [[0, 0, 100, 300]],
            "trust": [1.0],
            "teacher_iou": [1.0],
        }
        for source in ("retail", "aisle", "street")
        for frame in range(0, 502, 4)
    ]
    (tmp_path / "pool.json").write_text(json.dumps(entries))
    crops = tmp_path / "data" / "img-inria-person-crops" / "pos"
    crops.mkdir(parents=True)
    tested = {Path(box.clip).name for box in read_labels(LABELS) if "inria" in box.clip}
    for name in sorted(tested)[:5]:
        (crops / name).touch()
    chosen = action_data.chosen(tmp_path / "data", tmp_path, {}, seed=1)
    assert {record.source for record in chosen} >= {"retail", "street"}
    assert "aisle" not in {record.source for record in chosen}
    last = max(int(record.file[7:12]) for record in chosen if record.source == "retail")
    first_tested = min(box.frame for box in read_labels(LABELS) if "retail" in box.clip)
    assert last < first_tested - 15, "half a second apart at least"


def test_what_is_tested_is_nothing_that_was_labelled_for_training() -> None:
    tested, learnt = read_labels(LABELS), read_labels(POOL_LABELS)
    clips = {box.clip for box in tested} & {box.clip for box in learnt}
    assert clips == {"video-retail-nvidia/retail.mp4"}
    last = max(box.frame for box in learnt if box.clip in clips)
    assert last < min(box.frame for box in tested if box.clip in clips) - 15
    kinds = Counter((box.held_out, box.label) for box in learnt)
    assert min(kinds[where, label] for where in (False, True) for label in ("handling", "not")) >= 25


def test_the_tested_crops_of_the_crop_set_are_the_held_out_ones(shared_data: Path) -> None:
    held_out = {record.file for record in gather.inria_records(shared_data) if record.held_out}
    assert {Path(box.clip).name for box in read_labels(LABELS) if "inria" in box.clip} <= held_out


@pytest.mark.parametrize("line", ["clip.mp4,0,1,2,3,4,maybe", "clip.mp4,0,1,2,three,4,not"])
def test_a_damaged_label_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"clip,frame,left,top,right,bottom,label\n{line}\n")
    with pytest.raises(TrainingError, match=r"labels.csv:2"):
        read_labels(path)


def test_a_frame_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="frame 3 cannot be read"):
        list(labelled_images(tmp_path, [LabelledBox("none.mp4", 3, (0, 0, 5, 5), "not")]))
