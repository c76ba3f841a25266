"""The floor tracker on scripted scenes with known answers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from runtime.geometry import Homography
from runtime.vision.track import CameraView, FloorTracker, TrackerSettings
from runtime.vision.track.view import box_iou

sys.path.insert(0, str(Path(__file__).parent))

from floor_scenes import (
    VIEW,
    Shown,
    box_of,
    follow,
    frames,
    hidden,
    ids_of,
    stand,
    steady,
    uneven,
    walk,
)

ACROSS = walk((-11.0, -10.0), (-3.0, -6.0), 0.0)
"""A walk over the middle of the plaza, 7.5 s long."""

RATES = {
    "5 fps": steady(5, 9),
    "10 fps": steady(10, 9),
    "15 fps": steady(15, 9),
    "25 fps": steady(25, 9),
    "uneven": uneven(9),
}


@pytest.mark.parametrize("rate", RATES)
def test_a_walker_keeps_one_id_at_any_frame_rate(rate: str) -> None:
    assert ids_of(follow(frames([ACROSS], RATES[rate]))) == {1}


@pytest.mark.parametrize("rate", RATES)
def test_two_whose_ways_cross_keep_their_ids_at_any_frame_rate(rate: str) -> None:
    other = walk((-3.0, -10.5), (-11.0, -5.5), 0.3)
    shown = list(frames([ACROSS, other], RATES[rate]))
    answers = follow(shown)
    assert ids_of(answers) == {1, 2}
    ends = {}
    for track in answers[-len(RATES[rate]) // 4]:
        ends[track.id] = track.velocity_mps
    assert len({np.sign(velocity[0]) for velocity in ends.values() if velocity}) == 2


def test_places_on_the_floor_are_right_to_two_decimetres() -> None:
    shown = list(frames([ACROSS], steady(10, 7.4)))
    errors = [
        float(np.hypot(*np.subtract(tracks[0].floor_xy_m, frame.places[0])))
        for frame, tracks in zip(shown, follow(shown), strict=True)
        if tracks and tracks[0].floor_xy_m is not None
    ]
    assert np.median(errors) < 0.2
    assert max(errors[5:]) < 0.8


def test_a_new_track_has_no_id_until_it_is_confirmed() -> None:
    answers = follow(frames([ACROSS], steady(10, 3)))
    assert [track.id for track in answers[0]] == [None]
    assert not answers[0][0].confirmed
    assert answers[-1][0].id == 1


def test_a_box_that_flickers_up_is_nobody() -> None:
    shown = list(frames([ACROSS], steady(10, 3)))
    ghost = box_of((-5.0, -12.0))
    for frame in shown[10:12]:
        frame.boxes = np.vstack([frame.boxes, ghost])
        frame.scores = np.append(frame.scores, 0.9)
    assert ids_of(follow(shown)) == {1}


def test_what_was_seen_before_comes_with_the_confirmation() -> None:
    answers = follow(frames([ACROSS], steady(10, 3)))
    confirming = next(tracks[0] for tracks in answers if tracks and tracks[0].confirmed)
    times = [sighting.time_s for sighting in confirming.backfill]
    assert times == [index / 10 for index in range(len(times))]
    assert len(times) >= 2
    assert all(
        not track.backfill for tracks in answers for track in tracks if track.time_s > confirming.time_s
    )


def test_a_mannequin_never_counts_and_passers_by_keep_their_ids() -> None:
    passer = walk((-11.0, -10.0), (-3.0, -6.0), 6.0)
    answers = follow(frames([stand((-7.0, -8.05)), passer], steady(10, 20)))
    assert ids_of(answers) == {1}
    assert [track.id for track in answers[-1]] == [None]


@pytest.mark.parametrize("noise", [0.01, 0.06])
def test_a_poster_with_an_unsteady_box_never_counts(noise: float) -> None:
    poster = stand((-3.0, -3.0))
    answers = follow(frames([poster], steady(10, 30), noise=noise, score=0.55))
    assert ids_of(answers) == set()


def test_who_stood_still_from_the_start_counts_once_they_walk() -> None:
    def waits_then_walks(time_s: float) -> tuple[float, float] | None:
        return (-11.0, -10.0) if time_s < 6 else ACROSS(time_s - 6)

    answers = follow(frames([waits_then_walks], steady(10, 13)))
    assert ids_of(answers[:59]) == set()
    assert len(ids_of(answers)) == 1


def test_a_person_behind_a_pillar_for_two_seconds_keeps_the_id() -> None:
    answers = follow(frames([hidden(ACROSS, 3.0, 5.0)], steady(10, 7.4)))
    assert ids_of(answers) == {1}
    unseen = [track for tracks in answers for track in tracks if 3.05 < track.time_s < 4.95]
    assert unseen
    assert all(track.unseen_s > 0 for track in unseen)


def test_a_person_gone_for_long_ends_and_is_told_once() -> None:
    tracker = FloorTracker(TrackerSettings(), VIEW)
    ended = []
    for frame in frames([hidden(ACROSS, 3.0, 99.0)], steady(10, 10)):
        tracker.update(frame.boxes, frame.scores, frame.time_s)
        ended += [(frame.time_s, track) for track in tracker.ended]
    assert ended == [(pytest.approx(6.9 + 0.1, abs=0.15), 1)]


def test_a_person_who_leaves_the_picture_ends_sooner_than_one_who_is_hidden() -> None:
    tracker = FloorTracker(TrackerSettings(), VIEW)
    out = walk((-9.6, -10.0), (-9.6, -16.5), 0.0, speed_mps=1.5)
    last_seen_s = ended_s = 0.0
    for frame in frames([out], steady(10, 12)):
        inside = frame.boxes[:, 0] < VIEW.width_px - 12
        boxes = np.minimum(frame.boxes[inside], VIEW.width_px)
        tracker.update(boxes, frame.scores[inside], frame.time_s)
        last_seen_s = frame.time_s if len(boxes) else last_seen_s
        ended_s = frame.time_s if tracker.ended else ended_s
    assert 0 < ended_s - last_seen_s < TrackerSettings().lost_timeout_s / 2


def test_weak_boxes_continue_a_track_but_begin_none() -> None:
    fading = list(frames([ACROSS], steady(10, 7)))
    for frame in fading[20:50]:
        frame.scores[:] = 0.38
    answers = follow(fading)
    assert ids_of(answers) == {1}
    assert all(tracks[0].unseen_s == 0 for tracks in answers[5:])
    for score in (0.4, 0.47):
        assert ids_of(follow(frames([ACROSS], steady(10, 7), score=score))) == set()


def test_feet_hidden_by_a_nearer_person_are_placed_by_the_head() -> None:
    behind = walk((-11.0, -6.0), (-4.0, -6.0), 0.0)
    shown = list(frames([behind], steady(10, 5), noise=0.01))
    for frame in shown[20:]:
        left, top, right, bottom = frame.boxes[0]
        cut = top + 0.55 * (bottom - top)
        nearer = [left - 5, top + 0.35 * (bottom - top), right + 5, bottom + 0.7 * (bottom - top)]
        frame.boxes = np.array([[left, top, right, cut], nearer])
        frame.scores = np.array([0.7, 0.9])
    answers = follow(shown)
    errors = [
        min(
            float(np.hypot(*np.subtract(track.floor_xy_m, frame.places[0])))
            for track in tracks
            if track.id == 1
        )
        for frame, tracks in zip(shown[20:], answers[20:], strict=True)
    ]
    assert np.median(errors) < 0.4
    whole = box_of(shown[-1].places[0])
    drawn = next(track.box for track in answers[-1] if track.id == 1)
    left, top, width, height = drawn
    assert box_iou([whole], [[left, top, left + width, top + height]])[0, 0] > 0.85


def test_two_boxes_on_one_person_are_one_track() -> None:
    shown = list(frames([ACROSS], steady(10, 5)))
    for frame in shown:
        twin = frame.boxes[0] + [-3, 2, 2, 6]
        frame.boxes = np.vstack([frame.boxes, twin])
        frame.scores = np.array([0.8, 0.6])
    assert ids_of(follow(shown)) == {1}


def test_boxes_that_cannot_be_people_are_left_out() -> None:
    tracker = FloorTracker(TrackerSettings(), VIEW)
    nonsense = [
        [np.nan, 0, 10, 10],
        [50, 60, 40, 90],
        [10, -200, 40, -100],
        [300, 300, 304, 306],
        [100, 0, 700, 575],
    ]
    assert tracker.update(nonsense, [0.9] * 5, 0.0) == []


def test_no_boxes_and_a_clock_that_stands_still_are_no_trouble() -> None:
    tracker = FloorTracker(TrackerSettings(), VIEW)
    assert tracker.update(np.zeros((0, 4)), np.zeros(0), 0.0) == []
    box = [box_of((-7.0, -8.0))]
    tracker.update(box, [0.9], 1.0)
    again = tracker.update(box, [0.9], 1.0)
    assert len(again) == 1
    assert np.isfinite(again[0].floor_xy_m).all()


def test_the_table_of_tracks_is_bounded_and_refusals_are_counted() -> None:
    tracker = FloorTracker(TrackerSettings(max_tracks=5), VIEW)
    boxes = [box_of((x, y)) for x in (-10.0, -8.0, -6.0, -4.0) for y in (-9.0, -6.0)]
    assert len(tracker.update(boxes, np.full(8, 0.9), 0.0)) == 5
    assert tracker.refused == 3


def test_without_a_floor_ids_hold_and_places_are_unknown() -> None:
    tracker = FloorTracker(TrackerSettings(), CameraView(768, 576))
    other = walk((-3.0, -12.0), (-11.0, -7.0), 0.0)
    answers = follow(frames([ACROSS, other], steady(10, 7)), tracker)
    assert ids_of(answers) == {1, 2}
    assert all(track.floor_xy_m is None for tracks in answers for track in tracks)


def test_a_person_truncated_by_the_picture_is_marked() -> None:
    out = walk((-9.6, -10.0), (-9.6, -16.5), 0.0, speed_mps=1.5)
    shown = [
        Shown(frame.time_s, np.minimum(frame.boxes, [768, 576, 768, 576]), frame.scores)
        for frame in frames([out], steady(10, 3.9), noise=0.005)
    ]
    marks = [tracks[0].truncated for tracks in follow(shown) if tracks]
    assert marks[0] is False
    assert marks[-1] is True


@pytest.mark.parametrize(("look", "kept"), [(np.eye(2), True), (None, False)])
def test_colours_tell_apart_two_who_meet_and_turn_back(look: object, kept: bool) -> None:
    """Out of sight they turn back: motion alone says that they passed each other."""
    tracker = FloorTracker(TrackerSettings(appearance_weight=12.0), VIEW, appearance_size=2 if kept else 0)
    sides: list[dict[int, bool]] = []
    for index in range(80):
        time_s = index / 10
        apart = abs(time_s - 4.0)
        if apart < 0.5:
            continue
        boxes = [box_of((-7.5 - apart, -8.0)), box_of((-7.5 + apart, -8.0))]
        tracks = tracker.update(boxes, [0.8, 0.8], time_s, look)  # type: ignore[arg-type]
        left = {track.id: track.floor_xy_m[0] < -7.5 for track in tracks if track.id and track.floor_xy_m}
        if len(left) == 2:
            sides.append(left)
    assert (sides[0] == sides[-1]) is kept


@pytest.mark.parametrize("step", [1, 2, 3])
def test_real_paths_of_nineteen_people_keep_their_ids(shared_data: Path, step: int) -> None:
    """The labelled boxes of PETS09-S2L1, shaken and with one in ten missing, as detections."""
    truth = np.loadtxt(shared_data / "video-mot15-pets09-s2l1" / "gt.txt", delimiter=",")
    rng = np.random.default_rng(5)
    tracker = FloorTracker(TrackerSettings(), VIEW)
    owners: dict[int, list[int]] = {}
    errors_m, found, labelled = [], 0, 0
    for frame in range(1, 796, step):
        there = truth[(truth[:, 0] == frame) & (truth[:, 6] == 1)]
        labelled += len(there)
        there = there[rng.random(len(there)) > 0.1]
        boxes = np.concatenate([there[:, 2:4], there[:, 2:4] + there[:, 4:6]], axis=1)
        boxes += rng.normal(0, 0.02, boxes.shape) * there[:, 5:6]
        for track in tracker.update(boxes, np.full(len(boxes), 0.8), (frame - 1) / 10):
            if track.id is None or track.unseen_s > 0:
                continue
            found += 1
            apart_m = np.hypot(*(there[:, 7:9] - track.floor_xy_m).T)
            owners.setdefault(track.id, []).append(int(there[apart_m.argmin(), 1]))
            errors_m.append(float(apart_m.min()))
    pure = sum(max(owner.count(person) for person in set(owner)) for owner in owners.values())
    assert pure / found > 0.95
    assert found / labelled > 0.8
    assert len(owners) <= 26
    assert np.median(errors_m) < 0.25


def test_who_left_the_picture_is_not_who_comes_in_a_moment_later() -> None:
    tracker = FloorTracker(TrackerSettings(), CameraView(640, 480))
    ids: list[set[int]] = []
    for frame in range(56):
        time_s = frame / 20
        leaving, coming = 420.0 + 260.0 * time_s, 560.0 - 120.0 * (time_s - 1.2)
        boxes = []
        if leaving < 632:
            boxes.append((leaving, 120.0, min(640.0, leaving + 80.0), 340.0))
        if time_s >= 1.2:
            boxes.append((coming, 124.0, min(640.0, coming + 80.0), 338.0))
        told = tracker.update(boxes, [0.9] * len(boxes), time_s)
        ids.append({track.id for track in told if track.id is not None and track.unseen_s == 0})
    assert len(ids[10]) == 1 and len(ids[-1]) == 1
    assert ids[10] != ids[-1]


def test_more_frames_a_second_are_not_taken_for_more_knowledge() -> None:
    deviations = []
    for fps in (12.5, 100.0):
        tracker = FloorTracker(
            TrackerSettings(), CameraView(640, 480, Homography(np.diag([0.01, 0.01, 1.0])))
        )
        for frame in range(round(2 * fps)):
            (track,) = tracker.update([(200.0, 130.0, 280.0, 300.0)], [0.9], frame / fps)
        assert track.floor_sd_m is not None
        deviations.append(track.floor_sd_m)
    assert deviations[1] > 0.85 * deviations[0]
