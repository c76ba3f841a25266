"""What is measured of a picture is what was drawn into it."""

from __future__ import annotations

import numpy as np

from fleet.search.asking import Asking, answers
from fleet.search.looks import described, measured
from fleet.search.words import vocabulary


def picture(brightness: int, width: int, stripes: int = 0) -> np.ndarray:
    drawn = np.zeros((28, 28), np.uint8)
    drawn[4:24, 14 - width // 2 : 14 + width // 2] = brightness
    drawn[4:24:2][drawn[4:24:2] > 0] += stripes
    return drawn


def test_each_look_follows_what_was_drawn_and_nothing_else() -> None:
    base, light, wide, striped = (
        np.array(one)
        for one in zip(
            *measured(np.stack([picture(80, 10), picture(200, 10), picture(80, 20), picture(80, 10, 40)])),
            strict=True,
        )
    )
    assert light[0] > 2 * base[0] and abs(light[2] - base[2]) < 0.01
    assert wide[2] > 1.9 * base[2] and abs(wide[0] - base[0]) < 1
    assert striped[1] > 0.1 > base[1]


def test_thirds_are_of_each_kind_and_the_middle_has_no_word() -> None:
    ours = vocabulary()
    pictures = np.stack([picture(value, 10) for value in (60, 80, 100, 160, 180, 200)])
    coat, bag = ours.concepts.index("coat"), ours.concepts.index("bag")
    found = described(measured(pictures), np.array([coat] * 3 + [bag] * 3), ours)
    dark, light = ours.concepts.index("dark"), ours.concepts.index("light")
    assert found[:, dark].tolist() == [True, False, False, True, False, False]
    assert found[:, light].tolist() == [False, False, True, False, False, True]
    assert found[:, coat].tolist() == [True] * 3 + [False] * 3


def test_a_query_is_answered_by_the_picture_it_was_drawn_from_and_read_back_as_it_was_meant() -> None:
    ours = vocabulary()
    drawn = np.random.default_rng(0)
    pictures = drawn.integers(0, 255, (60, 28, 28)).astype(np.uint8)
    known = described(measured(pictures), drawn.integers(0, 10, 60), ours)
    asking = Asking(ours, frozenset({"jacket"}))
    for row in range(60):
        wanted = asking.wanted(known[row], drawn)
        assert answers(wanted, known)[row]
        text = asking.said(wanted, drawn)
        assert [ours.concepts.index(one) for one in ours.read(text).concepts] == list(wanted)
    coat = (ours.concepts.index("coat"),)
    said = {asking.said(coat, drawn) for _ in range(200)}
    assert said == set(ours.words_of("coat")) - {"jacket"}
