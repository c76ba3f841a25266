"""What users of other trackers complain of: counts that grow with every false box, ids that flicker."""

from __future__ import annotations

import pathlib
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from engines.inference.detector import PersonDetector
from runtime.frames.video.demux import VideoReader
from runtime.geometry import Floats
from runtime.vision.track import CameraView, FloorTracker, SceneWatch, TrackerSettings
from tests.frames.films import make_film
from tests.vision.floor_scenes import VIEW, Path, Shown, follow, frames, ids_of, steady

SECONDS = 30.0
SMALL_PX = 240
"""Width of the pictures."""


def to_and_fro(number: int) -> Path:
    """One of some people who stroll on ways beside each other, back and forth, without an end."""
    y_m = 0.5 + 1.2 * number

    def at(time_s: float) -> tuple[float, float]:
        return -7.5 + 2.5 * float(np.sin(0.4 * time_s + 2.3 * number)), y_m

    return at


def with_false_boxes(shown: Shown, random: np.random.Generator) -> Shown:
    """A box somewhere at every second frame, as sure of itself as some people's boxes are."""
    if random.random() < 0.5:
        return shown
    left, top = random.uniform(0, 700), random.uniform(100, 380)
    box = np.array([[left, top, left + 40, top + 110]])
    boxes = np.concatenate([shown.boxes, box])
    return Shown(shown.time_s, boxes, np.append(shown.scores, random.uniform(0.5, 0.8)), shown.places)


def with_misses(shown: Shown, share: float, random: np.random.Generator) -> Shown:
    kept = random.random(len(shown.boxes)) >= share
    return Shown(shown.time_s, shown.boxes[kept], shown.scores[kept], shown.places)


def picture_of(shown: Shown, wall: Floats, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A small picture with who is really there: bright before a wall."""
    picture = wall + random.normal(0, 1.5, wall.shape)
    for left, top, right, bottom in (shown.boxes * SMALL_PX / VIEW.width_px).round().astype(int).tolist():
        picture[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = 235.0
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("fps", [5.0, 10.0])
def test_nine_people_do_not_become_ninety_five(fps: float) -> None:
    random = np.random.default_rng(4)
    wall = random.integers(60, 180, (SMALL_PX * VIEW.height_px // VIEW.width_px, SMALL_PX)).astype(float)
    watch = SceneWatch(FloorTracker(TrackerSettings(), VIEW))
    answers = []
    for true in frames([to_and_fro(number) for number in range(9)], steady(fps, SECONDS)):
        picture, shown = picture_of(true, wall, random), with_false_boxes(true, random)
        if watch.wants(picture, true.time_s):
            answers.append(watch.see(picture, shown.boxes, shown.scores, true.time_s))
        else:
            answers.append(watch.follow(true.time_s))
    assert len(ids_of(answers)) == 9
    assert {sum(track.confirmed for track in tracks) for tracks in answers[int(5 * fps) :]} == {9}


@pytest.mark.parametrize("missed", [0.2, 0.4])
def test_who_is_missed_now_and_then_keeps_one_id(missed: float) -> None:
    random = np.random.default_rng(6)
    people = [to_and_fro(0), to_and_fro(3)]
    shown = [with_misses(one, missed, random) for one in frames(people, steady(10.0, SECONDS))]
    assert len(ids_of(follow(shown, FloorTracker(TrackerSettings(), VIEW)))) == 2


WIDTH, HEIGHT = 320, 180
EVERY, FPS = 3, 10.0
STARVED = {"preset": "veryfast", "tune": "zerolatency", "b": "20k", "maxrate": "20k", "bufsize": "40k"}
Image = npt.NDArray[np.uint8]


def small_images(file: pathlib.Path) -> list[Image]:
    """Every third picture, there and back again: half a minute of people in a shop, some of whom stand."""
    video, images = VideoReader(file), []
    while (picture := video.read()) is not None:
        images.append(np.asarray(cv2.resize(video.pixels(picture), (WIDTH, HEIGHT)), np.uint8))
    kept = images[::EVERY]
    return kept + kept[::-1]


def test_nobody_who_stands_in_a_starved_stream_is_taken_for_a_thing(
    shared_data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    images = small_images(shared_data / "video-retail-nvidia" / "retail.mp4")
    film = make_film(
        tmp_path / "starved.mp4",
        times_s=[frame / FPS for frame in range(len(images))],
        size=(WIDTH, HEIGHT),
        picture=lambda number, size: images[number],
        coder=STARVED,
        key_every=50,
    )
    assert film.stat().st_size < 20e3 / 8 * 1.5 * len(images) / FPS, "as few bits as were asked for"
    detector, video = PersonDetector.open("person-detector-lite"), VideoReader(film)
    never = replace(TrackerSettings(), lifeless_s=float("inf"))
    watches = [
        SceneWatch(FloorTracker(settings, CameraView(WIDTH, HEIGHT)))
        for settings in (TrackerSettings(), never)
    ]
    told: list[set[int]] = [set(), set()]
    ended: list[list[int]] = [[], []]
    for frame in range(len(images)):
        picture = video.read()
        assert picture is not None
        image = video.pixels(picture)
        found = detector.detect(image)
        for number, watch in enumerate(watches):
            tracks = watch.see(image, found.boxes, found.scores, frame / FPS)
            told[number] |= {track.id for track in tracks if track.id is not None}
            ended[number] += watch.ended
    assert len(told[0]) >= 6 and (told[0], ended[0]) == (told[1], ended[1])
