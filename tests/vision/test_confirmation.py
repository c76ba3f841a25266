"""Which tracks are people: by their move, by life in their boxes, and not by a box that slips."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.vision.track import CameraView, FloorTracker, Liveliness, TrackerSettings
from runtime.vision.track.confirmation import are_people, life_after
from runtime.vision.track.people import Table, new_rows, table_type

SETTINGS = TrackerSettings()
NAN = float("nan")
Box = tuple[float, float, float, float]
STOOD: Box = (150.0, 120.0, 230.0, 340.0)


def one_track(alive_s: float = 0.0, moved_m: float = 0.0) -> Table:
    """A track that was seen ten times from second 0 to second 1, and has moved so far."""
    empty = np.zeros(1, dtype=table_type(0))
    spread = np.eye(2)[None] * 1e-4
    tracks = new_rows(empty, 0.0, np.zeros((1, 2)), spread, np.array([1.7]), speed_sd=np.ones(1))
    tracks["mean"][:, 0] = moved_m
    tracks["alive_s"], tracks["sightings"], tracks["seen_s"] = alive_s, 10, 1.0
    return tracks


def is_person(tracks: Table) -> bool:
    return bool(are_people(tracks, np.ones(1), 1.0, SETTINGS)[0])


def life_of_a_second(quick: float, slow: float) -> float:
    """Seconds of life that a second of looks like this one adds."""
    shares = np.array([[quick, slow]])
    tracks = one_track()
    for look in range(10):
        tracks["seen_s"] = look / 10
        tracks["alive_s"] = life_after(tracks, shares, (look + 1) / 10, SETTINGS)
    return float(tracks["alive_s"][0])


def slid(fps: float, begins_s: float) -> set[int]:
    """Ids that a box gets which slides from one still figure to another, over a picture that stays."""
    random = np.random.default_rng(5)
    wall = random.integers(60, 190, (60, 80, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    for left in (150, 240):
        wall[120:340, left + 15 : left + 65] = (40, 30, 30)
    tracker, liveliness = FloorTracker(SETTINGS, CameraView(640, 480)), Liveliness()
    ids: set[int] = set()
    for frame in range(round(4 * fps)):
        time_s = frame / fps
        image = np.clip(wall + random.normal(0, 2, wall.shape), 0, 255).astype(np.uint8)
        along = min(90.0, max(0.0, 80.0 * (time_s - begins_s)))
        slip = np.array([along, 0.0, along, 0.0])
        box = np.array([STOOD]) + slip + random.normal(0, 1, (1, 4))
        told = tracker.update(box, [0.8], time_s, None, liveliness.look(image, box, [0.8], time_s))
        ids |= {track.id for track in told if track.id is not None}
    return ids


@pytest.mark.parametrize("fps", [3.0, 10.0, 25.0])
@pytest.mark.parametrize("begins_s", [0.3, 1.0])
def test_a_box_that_slides_over_a_still_picture_is_nobody(fps: float, begins_s: float) -> None:
    assert slid(fps, begins_s) == set()


def test_who_moves_is_a_person_unless_they_were_still_for_long() -> None:
    assert is_person(one_track(moved_m=0.6))
    assert is_person(one_track(moved_m=0.6, alive_s=-0.4))
    assert not is_person(one_track(moved_m=0.6, alive_s=-0.6)), "a thing's box that has slipped"
    assert not is_person(one_track(moved_m=0.2))


def test_who_lives_is_a_person_without_a_move() -> None:
    assert is_person(one_track(alive_s=0.5))
    assert not is_person(one_track(alive_s=0.3))


def test_what_changes_over_seconds_only_counts_a_quarter() -> None:
    assert life_of_a_second(0.10, 0.10) == pytest.approx(1.0)
    assert life_of_a_second(NAN, 0.10) == pytest.approx(0.25)
    assert life_of_a_second(0.03, 0.10) == pytest.approx(0.25)


def test_stillness_counts_a_quarter_until_it_has_lasted_for_seconds() -> None:
    lasting, hasty = life_of_a_second(0.0, 0.0), life_of_a_second(0.0, NAN)
    assert lasting < 0 and hasty == pytest.approx(lasting / 4)


def test_a_look_that_says_nothing_counts_little() -> None:
    assert life_of_a_second(NAN, NAN) == pytest.approx(0.1)
