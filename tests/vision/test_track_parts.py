"""The tracker's parts: motion, pairing, the view, stature, colours."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.geometry import Floats, Homography
from runtime.vision.track import CameraView, TrackerSettings, motion
from runtime.vision.track.appearance import SIZE, colour_signatures
from runtime.vision.track.association import NO_MATCH, pair_up
from runtime.vision.track.plane import Plane
from runtime.vision.track.stature import TypicalHeight, place
from runtime.vision.track.view import (
    Sightings,
    box_iou,
    feet_behind_others,
    foot_of,
    sightings_of,
    without_duplicates,
)

STATE = np.array([[1.0, 2.0, 1.2, -0.4]])
SPREAD = np.diag([0.1, 0.2, 0.5, 0.5])[None]
ONE = np.ones(1)


@given(st.floats(0.01, 3), st.floats(0.01, 3))
def test_two_steps_in_time_are_one_long_step(first_s: float, second_s: float) -> None:
    middle = motion.predict(STATE, SPREAD, first_s, ONE, 2.5)
    twice = motion.predict(*middle, second_s, ONE, 2.5)
    once = motion.predict(STATE, SPREAD, first_s + second_s, ONE, 2.5)
    assert np.allclose(twice[0], once[0])
    assert np.allclose(twice[1], once[1], atol=1e-9)


@given(st.floats(0.001, 30))
def test_uncertainty_stays_a_covariance_and_speed_stays_human(dt_s: float) -> None:
    _, spread = motion.predict(STATE, SPREAD, dt_s, ONE, 2.5)
    assert np.linalg.eigvalsh(spread[0]).min() > 0
    assert spread[0, 2, 2] <= 1.0 + 1e-9


def test_a_sighting_pulls_the_state_and_narrows_it() -> None:
    seen = np.array([[1.5, 2.0]])
    mean, spread = motion.correct(STATE, SPREAD, seen, np.eye(2)[None] * 0.1)
    assert mean[0, :2] == pytest.approx([1.25, 2.0])
    assert np.trace(spread[0]) < np.trace(SPREAD[0])


def test_surprise_is_the_mahalanobis_distance() -> None:
    seen, noise = np.array([[1.5, 2.5]]), np.array([[[0.2, 0.05], [0.05, 0.1]]])
    squared, log_determinant = motion.mahalanobis(STATE, SPREAD, seen, noise)
    total = SPREAD[0, :2, :2] + noise[0]
    off = seen[0] - STATE[0, :2]
    assert squared[0, 0] == pytest.approx(off @ np.linalg.inv(total) @ off)
    assert log_determinant[0, 0] == pytest.approx(np.log(np.linalg.det(total)))


@settings(max_examples=50)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 10_000))
def test_pairing_is_the_best_of_all_pairings(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost = np.where(rng.random((rows, columns)) < 0.4, NO_MATCH, rng.uniform(-3, 9, (rows, columns)))
    found = pair_up(cost)
    assert len(set(found[0])) == len(found[0]) == len(set(found[1]))
    assert (cost[found] < NO_MATCH).all()
    best = min(
        (
            sum(min(cost[row, column], NO_MATCH) for row, column in zip(some, others, strict=True))
            for some, others in _pairings(rows, columns)
        ),
        default=0.0,
    )
    unpaired = min(rows, columns) - len(found[0])
    assert cost[found].sum() + unpaired * NO_MATCH == pytest.approx(best)


def _pairings(rows: int, columns: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    count = min(rows, columns)
    return [
        (some, others)
        for some in itertools.combinations(range(rows), count)
        for others in itertools.permutations(range(columns), count)
    ]


def test_overlap_of_boxes() -> None:
    found = box_iou([[0, 0, 10, 10]], [[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    assert found[0] == pytest.approx([1, 1 / 3, 0])


def test_of_overlapping_boxes_the_best_stays() -> None:
    boxes = np.array([[0, 0, 10, 30], [1, 0, 11, 30], [2, 0, 12, 30], [30, 0, 40, 30.0]])
    assert without_duplicates(boxes, np.array([0.5, 0.9, 0.7, 0.2]), 0.5).tolist() == [
        False,
        True,
        False,
        True,
    ]
    assert without_duplicates(boxes[:2], np.array([0.6, 0.6]), 0.5).sum() == 1


def test_feet_are_hidden_by_who_stands_nearer_and_in_front() -> None:
    back, front, aside = [10, 10, 30, 60], [12, 30, 32, 90], [50, 30, 70, 90]
    assert feet_behind_others(np.array([back, front, aside], np.float64)).tolist() == [True, False, False]


def _seen(view: CameraView, plane: Plane, boxes: Floats) -> Sightings:
    feet = foot_of(boxes)
    return sightings_of(view, boxes, np.full(len(boxes), 0.9), feet, plane.pixel_width_m(feet))


def test_edges_of_the_picture_cut_people() -> None:
    boxes = np.array([[0, 100, 20, 200], [300, 500, 340, 576], [300, 0, 340, 90], [100, 100, 130, 200.0]])
    view = CameraView(768, 576)
    seen = _seen(view, view.plane(), boxes)
    assert seen.side_truncated.tolist() == [True, False, False, False]
    assert seen.foot_occluded.tolist() == [False, True, False, False]
    assert seen.head_truncated.tolist() == [False, False, True, False]


def test_the_plane_agrees_with_its_homography() -> None:
    homography = Homography([[0.05, -0.6, 88], [-0.14, -0.4, 120], [0.0009, 0.0196, 1]])
    plane = Plane(homography)
    pixels, sigma = np.array([[100.0, 300.0], [600.0, 200.0]]), np.array([[1.0, 2.0], [3.0, 0.5]])
    floor, spread = plane.place(pixels, sigma)
    assert np.allclose(floor, homography.to_floor(pixels))
    assert np.allclose(spread, homography.floor_covariance(pixels, sigma))
    assert np.allclose(plane.to_image(floor), pixels)
    across = np.linalg.norm(homography.jacobian(pixels)[:, :, 0], axis=1)
    assert np.allclose(plane.pixel_width_m(pixels), across)


def test_beyond_the_horizon_and_behind_the_camera_nothing_is_known() -> None:
    plane = Plane(Homography([[1, 0, 0], [0, 0, 100], [0, 1, 0]]))
    assert np.isnan(plane.pixel_width_m(np.array([[0.0, -5.0]]))).all()
    assert np.isnan(plane.place(np.array([[0.0, -5.0]]), np.ones((1, 2)))[0]).all()
    assert np.isnan(plane.to_image(np.array([[0.0, -5.0]]))).all()


def test_a_short_box_is_placed_by_the_head_and_a_whole_one_by_both_ends() -> None:
    plane, guess = Plane(Homography(np.diag([0.02, 0.02, 1.0]))), TrackerSettings()
    boxes = np.array([[100, 100, 130, 185], [200, 100, 230, 140], [300, 100, 330, 189.0]])
    seen = _seen(CameraView(768, 576), plane, boxes)
    floor, spread, fully_visible = place(plane, guess, seen, np.full(3, 1.7), np.full(3, 0.05))
    assert fully_visible.tolist() == [True, False, True]
    assert floor[0, 1] == pytest.approx(3.7)
    assert floor[1, 1] == pytest.approx(3.7, abs=0.15)
    assert 3.70 < floor[2, 1] < 3.78
    assert spread[1, 1, 1] > spread[0, 1, 1]


def test_the_typical_height_is_learnt_and_outliers_move_it_little() -> None:
    typical = TypicalHeight(TrackerSettings())
    for _ in range(200):
        typical.learn(np.array([1.5, 1.5]))
    assert typical.height_m == pytest.approx(1.5, abs=0.03)
    before = typical.height_m
    typical.learn(np.array([40.0]))
    assert typical.height_m - before < 0.01


def test_clothes_of_one_colour_look_alike_and_of_two_do_not() -> None:
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, :100] = (200, 30, 30)
    picture[:, 100:200] = (30, 30, 200)
    picture[:, 200:] = (205, 28, 32)
    appearance = colour_signatures(picture, [[10, 5, 40, 95], [110, 5, 140, 95], [210, 5, 240, 95]])
    similarity = appearance @ appearance.T
    assert np.allclose(np.diag(similarity), 1)
    assert similarity[0, 2] > 0.9
    assert similarity[0, 1] < 0.2


def test_a_box_outside_the_picture_has_no_colour_in_particular() -> None:
    appearance = colour_signatures(np.zeros((50, 50, 3), np.uint8), [[60, 60, 80, 90], [-40, -40, -10, -5]])
    assert np.allclose(appearance, 1 / np.sqrt(SIZE))


def test_the_middle_of_whom_the_edge_cuts_is_reckoned_from_the_edge_that_is_seen() -> None:
    view = CameraView(640, 480)
    plane, settings = view.plane(), TrackerSettings()
    for box, middle in (((600.0, 120.0, 640.0, 340.0), 644.0), ((0.0, 120.0, 40.0, 340.0), -4.0)):
        boxes = np.array([box])
        foot = foot_of(boxes)
        seen = sightings_of(view, boxes, np.array([0.9]), foot, plane.pixel_width_m(foot))
        height_m = seen.height_px * seen.pixel_width_m
        floor, _, fully_visible = place(plane, settings, seen, height_m, np.array([0.35]))
        assert plane.to_image(floor)[0, 0] == pytest.approx(middle, abs=2)
        assert not fully_visible[0]
