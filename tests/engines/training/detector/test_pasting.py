"""Persons pasted one over the other: where they are, and how much of each counts."""

from __future__ import annotations

import numpy as np
import pytest

from engines.evaluation.pool import Labels
from engines.training.detector.cutouts import Cutout
from engines.training.detector.pasting import Pasted

DARK = Cutout(np.full((60, 24, 3), 10, np.uint8), np.ones((60, 24), np.float32))


def scene(labels: Labels | None = None) -> Pasted:
    return Pasted(np.full((96, 128, 3), 200, np.uint8), labels or Labels())


def test_a_pasted_person_is_where_its_box_is() -> None:
    made, rng = scene(), np.random.default_rng(0)
    box = made.add(DARK, 40, 20, 50, rng)
    assert box is not None
    left, top, right, bottom = box.astype(int)
    assert made.image[top + 2 : bottom - 2, left + 2 : right - 2].max() < 120
    assert (top, bottom) == (20, 70)
    assert made.all_labels().boxes.tolist() == [box.tolist()]


def test_a_person_mostly_out_of_the_picture_is_not_pasted() -> None:
    made = scene()
    assert made.add(DARK, 126, 20, 50, np.random.default_rng(0)) is None
    assert not len(made.all_labels().boxes)


def test_the_picture_given_is_left_as_it_is() -> None:
    given = np.full((96, 128, 3), 200, np.uint8)
    Pasted(given, Labels()).add(DARK, 40, 20, 50, np.random.default_rng(0))
    assert (given == 200).all()


@pytest.mark.parametrize(("shift", "least", "most"), [(0, 0.0, 0.0), (8, 0.5, 0.8), (30, 1.0, 1.0)])
def test_who_is_hidden_behind_another_keeps_its_box_and_loses_trust(
    shift: int, least: float, most: float
) -> None:
    made, rng = scene(), np.random.default_rng(1)
    behind = made.add(DARK, 40, 20, 50, rng)
    before = made.add(DARK, 40 + shift, 20, 50, rng)
    assert behind is not None and before is not None
    labels = made.all_labels()
    assert labels.boxes[0].tolist() == behind.tolist()
    assert least <= labels.trust[0] <= most
    assert labels.trust[1] == 1.0


def test_a_person_of_the_picture_under_pasted_ones_becomes_a_place_to_look_away_from() -> None:
    own = Labels.certain(np.array([[40, 20, 60, 70], [100, 20, 115, 70]], np.float32))
    made = scene(own)
    made.add(DARK, 38, 18, 55, np.random.default_rng(0))
    assert made.all_labels().trust.tolist() == [0.0, 1.0, 1.0]
