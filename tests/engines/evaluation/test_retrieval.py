"""Finding the same person again: rank-1 and mean average precision."""

from __future__ import annotations

import numpy as np
import pytest

from engines.evaluation.retrieval import retrieve


def unit(*angles_deg: float) -> np.ndarray:
    angles = np.radians(angles_deg)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_what_is_left_out_neither_helps_nor_hurts() -> None:
    gallery, there = unit(0, 10, 20, 40), np.array([1, 2, 1, 1])
    nothing = np.zeros((1, 4), bool)
    found = retrieve(unit(1), np.array([1]), gallery, there, nothing)
    assert (found.queries, found.rank1) == (1, 1.0)
    assert found.mean_ap == pytest.approx(np.mean([1, 2 / 3, 3 / 4]))
    without_first = np.array([[True, False, False, False]])
    found = retrieve(unit(1), np.array([1]), gallery, there, without_first)
    assert (found.queries, found.rank1) == (1, 0.0)
    assert found.mean_ap == pytest.approx(np.mean([1 / 2, 2 / 3]))


def test_a_query_without_an_answer_does_not_count() -> None:
    gallery, there = unit(0, 90), np.array([1, 2])
    left_out = np.array([[False, False], [False, True], [False, False]])
    found = retrieve(unit(5, 85, 60), np.array([1, 2, 3]), gallery, there, left_out)
    assert (found.queries, found.rank1, found.mean_ap) == (1, 1.0, 1.0)
    assert retrieve(unit(5), np.array([7]), gallery, there, left_out[:1]).queries == 0


def test_likenesses_of_one_and_of_two_are_told_apart() -> None:
    found = retrieve(
        unit(0), np.array([1]), unit(0, 60, 90, 60), np.array([1, 1, 2, 2]), np.zeros((1, 4), bool)
    )
    assert (found.same.mean, found.same.sd) == (pytest.approx(0.75), pytest.approx(0.25))
    assert (found.different.mean, found.different.sd) == (pytest.approx(0.25), pytest.approx(0.25))
