"""Orders, sums of matchers, and what a contest did after."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fleet.search.ranking import best_weight, fused, ndcg, only_best


def test_ndcg_is_that_of_a_list_worked_by_hand() -> None:
    right = np.array([True, False, True, False])
    assert ndcg(np.array([4.0, 3, 2, 1]), right) == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)))
    assert ndcg(np.array([2.0, 1, 3, 0]), right) == 1
    assert math.isnan(ndcg(np.arange(4.0), np.zeros(4, dtype=bool)))


def test_candidates_of_one_score_keep_their_order_so_ties_win_nothing_once_shuffled() -> None:
    drawn = np.random.default_rng(0)
    right = np.arange(30) < 5
    assert ndcg(np.zeros(30), right) == 1
    shuffled = [ndcg(np.zeros(30), right[drawn.permutation(30)]) for _ in range(300)]
    assert np.mean(shuffled) < 0.25


def test_the_grid_finds_the_matcher_that_is_right() -> None:
    drawn = np.random.default_rng(0)
    right = drawn.random((40, 30)) < 0.2
    good, noise = right + 0.01 * drawn.random(right.shape), drawn.random(right.shape)
    assert best_weight(good, noise, list(right), (0.0, 0.5, 1.0)) == 1
    assert best_weight(noise, 100 * good, list(right), (0.0, 0.5, 1.0)) == 0
    assert fused(good, 100 * good, 0.5) == pytest.approx(fused(good, good, 0.5))


def test_a_picture_stays_with_its_best_query_or_goes_from_all() -> None:
    candidates = np.array([[7, 8], [7, 9], [7, 8]])
    scores = np.array([[0.9, 0.5], [0.2, 0.3], [0.88, 0.1]])
    assert only_best(scores, candidates).tolist() == [[True, True], [False, True], [False, False]]
    with_lead = only_best(scores, candidates, least_lead=0.05)
    assert with_lead.tolist() == [[False, True], [False, True], [False, False]]
