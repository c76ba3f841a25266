"""Of boxes on each other, the best stays."""

from __future__ import annotations

import numpy as np
import pytest

from engines.inference.nms import MAX_BOXES, MAX_CANDIDATES, iou_matrix, suppress


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_overlap_is_shared_area_over_joint_area() -> None:
    a, b = boxes((0, 0, 10, 10)), boxes((5, 0, 15, 10), (20, 20, 30, 30), (0, 0, 10, 10))
    assert iou_matrix(a, b)[0] == pytest.approx([50 / 150, 0, 1])


def test_boxes_without_area_overlap_nothing() -> None:
    assert iou_matrix(boxes((3, 3, 3, 3)), boxes((3, 3, 3, 3)))[0, 0] == 0


def test_the_best_of_a_heap_stays_and_distant_boxes_stay() -> None:
    heap = boxes((0, 0, 10, 10), (1, 0, 11, 10), (40, 0, 50, 10), (0, 1, 10, 11))
    kept = suppress(heap, np.array([0.6, 0.9, 0.3, 0.7], np.float32), 0.5)
    assert kept.tolist() == [1, 2]


def test_a_box_suppressed_by_another_suppresses_nothing_itself() -> None:
    chain = boxes((0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10))
    kept = suppress(chain, np.array([0.9, 0.8, 0.7], np.float32), 0.4)
    assert kept.tolist() == [0, 2]


def test_equal_scores_keep_their_order() -> None:
    apart = boxes((0, 0, 1, 1), (5, 0, 6, 1), (9, 0, 10, 1))
    assert suppress(apart, np.full(3, 0.5, np.float32), 0.5).tolist() == [0, 1, 2]


def test_no_boxes_give_no_boxes() -> None:
    assert len(suppress(boxes(), np.zeros(0, np.float32), 0.5)) == 0


def test_a_network_that_sees_people_everywhere_costs_no_more_than_the_limit() -> None:
    count = 10 * MAX_CANDIDATES
    row = np.arange(count, dtype=np.float32)
    everywhere = np.stack((row * 10, row * 0, row * 10 + 5, row * 0 + 5), 1)
    kept = suppress(everywhere, np.linspace(1, 0.1, count, dtype=np.float32), 0.5)
    assert kept.tolist() == list(range(MAX_BOXES))
