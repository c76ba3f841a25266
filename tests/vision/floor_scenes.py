"""Scripted people before a camera whose floor is known: where they walk, and the boxes a detector gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from runtime.geometry import Floats, Homography
from runtime.vision.track import CameraView, FloorTracker, Track, TrackerSettings

PLAZA = Homography(
    [
        [0.0533237, -0.6022939, 88.2870706],
        [-0.1388754, -0.3985859, 120.0428132],
        [0.000911589, 0.01956270, 1.0],
    ]
)
VIEW = CameraView(768, 576, PLAZA)

Path = Callable[[float], tuple[float, float] | None]
"""Where a person is at a time, floor metres; None while the camera cannot see them."""


@dataclass
class Shown:
    """One frame: boxes (n, 4) ltrb px, scores (n,), and the true floor place of each."""

    time_s: float
    boxes: Floats
    scores: Floats
    places: list[tuple[float, float]] = field(default_factory=list)


def walk(
    start: tuple[float, float], end: tuple[float, float], begin_s: float, speed_mps: float = 1.2
) -> Path:
    """From `start` to `end` at a steady pace, seen only while walking."""
    (x0, y0), (x1, y1) = start, end
    length_m = float(np.hypot(x1 - x0, y1 - y0))

    def at(time_s: float) -> tuple[float, float] | None:
        share = (time_s - begin_s) * speed_mps / length_m
        if not 0 <= share <= 1:
            return None
        return x0 + share * (x1 - x0), y0 + share * (y1 - y0)

    return at


def stand(place: tuple[float, float]) -> Path:
    """Never moves."""
    return lambda time_s: place


def hidden(path: Path, from_s: float, to_s: float) -> Path:
    """The same person, out of sight for a while."""
    return lambda time_s: None if from_s <= time_s < to_s else path(time_s)


def box_of(place: tuple[float, float], height_m: float = 1.75) -> Floats:
    """The box of an upright person at a place, ltrb px."""
    foot = PLAZA.to_image([place])
    height = height_m / VIEW.plane().pixel_width_m(foot)[0]
    u, v = foot[0]
    return np.array([u - 0.18 * height, v - height, u + 0.18 * height, v])


def frames(
    people: Iterable[Path], times_s: Iterable[float], noise: float = 0.02, score: float = 0.8, seed: int = 1
) -> Iterator[Shown]:
    """What a detector shows: `noise` is the deviation of every edge as a share of the box's height."""
    rng = np.random.default_rng(seed)
    walkers = list(people)
    for time_s in times_s:
        places = [place for place in (path(time_s) for path in walkers) if place is not None]
        boxes = np.array([box_of(place) for place in places]).reshape(-1, 4)
        heights = boxes[:, 3:] - boxes[:, 1:2]
        boxes = boxes + rng.normal(0, noise, boxes.shape) * heights
        yield Shown(time_s, boxes, np.full(len(boxes), score), places)


def steady(fps: float, seconds: float) -> list[float]:
    """Times of frames at a constant rate."""
    return [index / fps for index in range(int(seconds * fps))]


def uneven(seconds: float, seed: int = 7) -> list[float]:
    """Times of frames between 3 and 20 a second."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.uniform(0.05, 0.33, int(seconds / 0.19))).tolist()


def follow(shown: Iterable[Shown], tracker: FloorTracker | None = None) -> list[list[Track]]:
    """Feed the frames to a tracker and collect its answers."""
    tracker = tracker or FloorTracker(TrackerSettings(), VIEW)
    return [tracker.update(frame.boxes, frame.scores, frame.time_s) for frame in shown]


def ids_of(answers: Iterable[list[Track]]) -> set[int]:
    """Every id that was ever given out."""
    return {track.id for tracks in answers for track in tracks if track.id is not None}
