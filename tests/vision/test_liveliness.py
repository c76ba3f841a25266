"""People who stand are told from things that look like people, by the picture alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from runtime.vision.track import CameraView, FloorTracker, Liveliness, Track, TrackerSettings

SIZE = (640, 480)
FPS = 10.0
LEFT_BOX, RIGHT_BOX = (150.0, 120.0, 230.0, 340.0), (400.0, 120.0, 480.0, 340.0)

Image = npt.NDArray[np.uint8]
Paint = Callable[[Image, float], None]


@dataclass
class Shop:
    """A noisy picture of a wall with two figures that stand, and what is painted on it at a time."""

    paint: Paint
    boxes: tuple[tuple[float, float, float, float], ...] = (LEFT_BOX, RIGHT_BOX)
    noise: float = 2.0
    light: Callable[[float], float] = lambda time_s: 1.0
    shake_px: float = 0.0

    def tracks(self, seconds: float = 3.0, fps: float = FPS) -> list[list[Track]]:
        """What the tracker says of every frame."""
        random = np.random.default_rng(5)
        wall = random.integers(60, 190, (SIZE[1] // 8, SIZE[0] // 8, 3)).repeat(8, 0).repeat(8, 1)
        tracker, liveliness = FloorTracker(TrackerSettings(), CameraView(*SIZE)), Liveliness()
        told = []
        for frame in range(round(seconds * fps)):
            time_s = frame / fps
            image = wall.astype(np.uint8).copy()
            self.paint(image, time_s)
            moved = np.roll(image, round(self.shake_px * random.normal()), axis=1)
            noisy = moved * self.light(time_s) + random.normal(0, self.noise, moved.shape)
            shown = np.clip(noisy, 0, 255).astype(np.uint8)
            boxes = np.array(self.boxes) + random.normal(0, 1.0, (len(self.boxes), 4))
            scores = np.full(len(boxes), 0.8)
            look = liveliness.look(shown, boxes, scores, time_s)
            told.append(tracker.update(boxes, scores, time_s, None, look))
        return told


def figure(image: Image, box: tuple[float, float, float, float], sway_px: float = 0.0) -> None:
    """Somebody who stands in the box, whose arm is that far from where it hangs."""
    left, top, right, bottom = (int(edge) for edge in box)
    image[top : top + 40, left + 25 : right - 25] = (150, 160, 210)
    image[top + 40 : bottom, left + 15 : right - 15] = (40, 30, 30)
    arm = int(left + 8 + sway_px)
    image[top + 60 : top + 140, arm : arm + 14] = (150, 160, 210)


def one_sways(image: Image, time_s: float) -> None:
    figure(image, LEFT_BOX, 14 * np.sin(2.2 * time_s))
    figure(image, RIGHT_BOX)


def nobody_moves(image: Image, time_s: float) -> None:
    figure(image, LEFT_BOX)
    figure(image, RIGHT_BOX)


def confirmed(tracks: list[Track]) -> list[float]:
    """Where the people of a frame stand, left to right, px."""
    return sorted(track.box[0] for track in tracks if track.confirmed)


@pytest.mark.parametrize("fps", [3.0, 10.0, 25.0])
def test_who_stands_is_a_person_and_a_mannequin_beside_them_is_not(fps: float) -> None:
    told = Shop(one_sways).tracks(fps=fps)
    assert len(confirmed(told[-1])) == 1
    assert confirmed(told[-1])[0] == pytest.approx(LEFT_BOX[0], abs=15)
    (first,) = [track for tracks in told for track in tracks if track.backfill]
    assert first.backfill[0].time_s <= 2 / fps, "they were there from the start"


@pytest.mark.parametrize(
    "shop",
    [
        Shop(nobody_moves),
        Shop(nobody_moves, noise=12.0),
        Shop(nobody_moves, light=lambda time_s: 1.0 + 0.25 * np.sin(3.0 * time_s)),
        Shop(nobody_moves, shake_px=1.5),
        Shop(
            nobody_moves, boxes=(LEFT_BOX, (LEFT_BOX[0] + 50, *LEFT_BOX[1:2], LEFT_BOX[2] + 50, LEFT_BOX[3]))
        ),
    ],
    ids=["quiet", "noisy", "light that changes", "a camera that shakes", "side by side"],
)
def test_what_never_moves_never_counts(shop: Shop) -> None:
    assert not any(confirmed(tracks) for tracks in shop.tracks(seconds=8.0))


def test_what_never_moves_is_told_by_its_place_in_time() -> None:
    told: list[list[float]] = []
    random = np.random.default_rng(1)
    tracker, liveliness = FloorTracker(TrackerSettings(), CameraView(*SIZE)), Liveliness()
    for second in range(80):
        image = np.full((480, 640, 3), 120, np.uint8)
        one_sways(image, second * 0.7)
        boxes = np.array([LEFT_BOX, RIGHT_BOX]) + random.normal(0, 1.0, (2, 4))
        tracker.update(
            boxes, [0.8, 0.8], float(second), None, liveliness.look(image, boxes, [0.8, 0.8], second)
        )
        told.append([round(thing.box[0], -1) for thing in tracker.things()])
    assert not any(told[:55]) and all(one == [RIGHT_BOX[0]] for one in told[65:])


def test_who_walks_past_a_mannequin_lends_it_no_life() -> None:
    random = np.random.default_rng(2)
    wall = random.integers(60, 190, (60, 80, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    tracker, liveliness = FloorTracker(TrackerSettings(), CameraView(*SIZE)), Liveliness()
    people: set[int] = set()
    for frame in range(150):
        time_s = frame / FPS
        image = wall.copy()
        figure(image, LEFT_BOX)
        boxes = [LEFT_BOX]
        across = -100.0 + 80.0 * (time_s % 10.0)
        walker = (across, 140.0, across + 80.0, 380.0)
        if -40 < across < 600:
            figure(image, (max(0.0, across), 140.0, max(81.0, across + 80.0), 380.0), 20 * np.sin(5 * time_s))
            boxes.append(walker)
        scores = np.full(len(boxes), 0.8)
        look = liveliness.look(image, boxes, scores, time_s)
        told = tracker.update(boxes, scores, time_s, None, look)
        people |= {track.id for track in told if track.id is not None}
        still = [track for track in told if abs(track.box[0] - LEFT_BOX[0]) < 12 and track.unseen_s == 0]
        if not 1.5 < time_s % 10.0 < 5.5:
            assert not any(track.confirmed for track in still), time_s
    assert len(people) == 2, "the two walks, and nobody else"


def stands_there(seconds: float, sway_px: float) -> tuple[set[int], list[bool]]:
    """The ids of a figure that walks in and then stands, and whether it is a person after each second."""
    random = np.random.default_rng(4)
    wall = random.integers(60, 190, (60, 80, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    tracker, liveliness = FloorTracker(TrackerSettings(), CameraView(*SIZE)), Liveliness()
    ids: set[int] = set()
    people = []
    for frame in range(round(seconds * 4)):
        time_s = frame / 4
        image = wall.copy()
        across = min(40.0 + 60.0 * time_s, RIGHT_BOX[0])
        box = (across, RIGHT_BOX[1], across + 80.0, RIGHT_BOX[3])
        figure(image, box, sway_px * np.sin(0.3 * time_s))
        look = liveliness.look(image, [box], [0.8], time_s)
        told = tracker.update([box], [0.8], time_s, None, look)
        ids |= {track.id for track in told if track.id is not None}
        people.append(any(track.confirmed for track in told))
    assert set(tracker.ended) <= ids
    return ids, people[::4]


def test_a_mannequin_that_was_carried_to_its_place_is_a_thing_again_in_time() -> None:
    _, people = stands_there(60.0, sway_px=0.0)
    assert all(people[3:10]) and not any(people[30:])


def test_who_sways_too_slowly_for_one_look_is_a_person_within_seconds() -> None:
    def slow(image: Image, time_s: float) -> None:
        figure(image, LEFT_BOX, 14 * np.sin(0.06 * time_s))
        figure(image, RIGHT_BOX)

    told = Shop(slow).tracks(seconds=18.0)
    assert [len(confirmed(tracks)) for tracks in (told[5], told[-1])] == [0, 1]


def test_an_arm_far_away_that_moves_by_a_pixel_is_life() -> None:
    wall = np.random.default_rng(7).integers(60, 190, (60, 80)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    far, liveliness, later = [(150.0, 120.0, 180.0, 200.0)], Liveliness(), wall.copy()
    later[140:180, 161] += 16
    liveliness.look(wall, far, [0.8], 0.0)
    share = liveliness.look(later, far, [0.8], 0.4).shares(np.array([0]))[0, 0]
    assert share > TrackerSettings.still_share


def test_a_clerk_who_hardly_moves_stays_the_same_person() -> None:
    ids, people = stands_there(400.0, sway_px=12.0)
    assert len(ids) == 1 and all(people[3:])


def test_without_pictures_nobody_is_taken_for_a_thing() -> None:
    tracker = FloorTracker(TrackerSettings(), CameraView(*SIZE))
    for frame in range(1600):
        across = min(40.0 + 6.0 * frame, RIGHT_BOX[0])
        told = tracker.update([(across, 120.0, across + 80.0, 340.0)], [0.8], frame / FPS)
    assert [track.confirmed for track in told] == [True]


def test_without_pictures_only_only_who_walks_is_a_person() -> None:
    tracker = FloorTracker(TrackerSettings(), CameraView(*SIZE))
    for frame in range(40):
        told = tracker.update([LEFT_BOX], [0.8], frame / FPS)
    assert [track.confirmed for track in told] == [False]


def looked(
    before: list[tuple[float, float, float, float]],
    now: list[tuple[float, float, float, float]],
    changed: tuple[slice, slice] | None,
) -> float:
    """The share in the first box, 0.4 s after a picture with the boxes `before`, where a part changed."""
    wall = np.random.default_rng(7).integers(60, 190, (60, 80)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    liveliness, later = Liveliness(), wall.copy()
    if changed is not None:
        later[changed] = 255 - later[changed]
    liveliness.look(wall, before, np.full(len(before), 0.8), 0.0)
    look = liveliness.look(later, now, np.full(len(now), 0.8), 0.4)
    return float(look.shares(np.array([0]))[0, 0])


def test_change_where_somebody_else_is_or_was_says_nothing() -> None:
    passing = (160.0, 100.0, 240.0, 360.0)
    torso = (slice(150, 300), slice(165, 225))
    assert looked([LEFT_BOX], [LEFT_BOX], torso) > 0.3
    assert np.isnan(looked([LEFT_BOX], [LEFT_BOX, passing], torso)), "they are there now"
    assert np.isnan(looked([LEFT_BOX, passing], [LEFT_BOX], torso)), "they were there before"


def test_who_is_hidden_for_the_most_part_lives_if_enough_changes_in_what_shows() -> None:
    rack = (175.0, 100.0, 300.0, 360.0)
    side = (slice(150, 300), slice(150, 172))
    finger = (slice(150, 169), slice(150, 168))
    assert looked([LEFT_BOX, rack], [LEFT_BOX, rack], side) > 0.03
    assert np.isnan(looked([LEFT_BOX, rack], [LEFT_BOX, rack], finger))


def test_few_pictures_are_kept_however_many_there_are_a_second() -> None:
    liveliness = Liveliness()
    for frame in range(300):
        liveliness.look(np.zeros((120, 160), np.uint8), [(10.0, 10.0, 60.0, 100.0)], [0.9], frame / 30)
    kept = [len(album) for album in liveliness.albums]
    assert kept == [5, 9], kept


def test_a_box_without_change_is_still_whoever_is_before_it() -> None:
    passing = (160.0, 100.0, 240.0, 360.0)
    assert looked([LEFT_BOX, passing], [LEFT_BOX, passing], None) == 0.0


def test_a_jump_in_time_or_size_forgets_the_older_pictures() -> None:
    liveliness = Liveliness()
    small, large = np.zeros((120, 160, 3), np.uint8), np.full((240, 320, 3), 255, np.uint8)
    row = np.array([0])
    for image, time_s in ((small, 0.0), (large, 0.5), (large, 0.2), (large, 3.0)):
        look = liveliness.look(image, [(10.0, 10.0, 60.0, 100.0)], [0.9], time_s)
        assert np.isnan(look.shares(row)).all()
    look = liveliness.look(255 - large, [(10.0, 10.0, 60.0, 100.0)], [0.9], 3.4)
    assert look.shares(row)[0, 0] <= 0, "everything changed, so nothing in the box says anything"
