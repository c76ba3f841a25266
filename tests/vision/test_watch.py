"""Which frames the detector is asked to look at, and where people are in those between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from runtime.frames.video.demux import VideoReader
from runtime.vision.track import CameraView, FloorTracker, SceneWatch, Track, TrackerSettings
from tests.frames.films import make_film

SIZE = (640, 480)
NOISES = 7
"""Pictures of noise, in turn: making one for each frame takes longer than all else."""
Box = tuple[float, float, float, float]
STANDING: Box = (400.0, 120.0, 480.0, 340.0)


def walking(time_s: float) -> Box:
    """Somebody who walks across the picture, 60 px a second, from the left edge at second 1."""
    left = 60.0 * (time_s - 1.0) - 40.0
    return (left, 120.0, left + 80.0, 340.0)


class Trial:
    """A camera's frames shown to a watch: which were looked at, and what was told of every frame."""

    def __init__(self, boxes: Callable[[float], list[Box]], fps: float, seconds: float) -> None:
        random = np.random.default_rng(3)
        wall = random.integers(60, 190, (60, 80, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
        noises = [random.normal(0, 2.0, wall.shape).round().astype(np.int16) for _ in range(NOISES)]
        watch = SceneWatch(FloorTracker(TrackerSettings(), CameraView(*SIZE)))
        self.looked_s: list[float] = []
        self.told: dict[float, list[Track]] = {}
        for frame in range(round(fps * seconds)):
            time_s, image = frame / fps, wall.copy()
            there = [box for box in boxes(time_s) if box[0] >= 0 and box[2] <= SIZE[0]]
            for box in there:
                paint(image, box)
            image = np.clip(image + noises[frame % NOISES], 0, 255).astype(np.uint8)
            if watch.wants(image, time_s):
                self.looked_s.append(time_s)
                self.told[time_s] = watch.see(image, there, [0.8] * len(there), time_s)
            else:
                self.told[time_s] = watch.follow(time_s)

    def gaps_s(self, from_s: float, to_s: float) -> npt.NDArray[np.float64]:
        """Times between looks in that time."""
        return np.diff([time_s for time_s in self.looked_s if from_s <= time_s <= to_s])


def paint(image: npt.NDArray[np.uint8], box: Box) -> None:
    left, top, right, bottom = (int(edge) for edge in box)
    image[top : top + 40, left + 25 : right - 25] = (150, 160, 210)
    image[top + 40 : bottom, left + 15 : right - 15] = (40, 30, 30)


def test_an_empty_place_is_looked_at_once_a_second_until_somebody_comes() -> None:
    trial = Trial(lambda time_s: [walking(time_s - 4.0)], fps=10.0, seconds=9.0)
    assert trial.gaps_s(0.0, 5.5) == pytest.approx(1.0)
    came_s = next(frame / 10 for frame in range(90) if walking(frame / 10 - 4.0)[0] >= 0)
    assert came_s in trial.looked_s, "what changes is looked at in the same frame"
    assert trial.gaps_s(came_s, came_s + 0.4).max() == pytest.approx(0.1)


def test_known_people_are_looked_at_five_times_a_second_and_told_of_in_every_frame() -> None:
    trial = Trial(lambda time_s: [walking(time_s)], fps=10.0, seconds=9.0)
    assert trial.gaps_s(5.0, 9.0) == pytest.approx(np.full(19, 0.2), abs=0.01)
    known = {time_s: tracks for time_s, tracks in trial.told.items() if time_s >= 5.0}
    for time_s, tracks in known.items():
        (track,) = tracks
        assert track.confirmed and track.unseen_s == 0.0 and track.time_s == time_s
        assert track.box[0] == pytest.approx(walking(time_s)[0], abs=4.0)
    assert len({tracks[0].id for tracks in known.values()}) == 1


def test_more_frames_than_tell_more_are_not_looked_at() -> None:
    trial = Trial(lambda time_s: [walking(time_s)], fps=50.0, seconds=4.0)
    assert trial.gaps_s(1.7, 4.0).min() >= 0.1 - 1e-9
    assert trial.gaps_s(1.7, 4.0).max() <= 0.2 + 1e-9


@pytest.mark.parametrize("fps", [1.0, 3.0, 5.0])
def test_of_few_frames_none_is_left_out(fps: float) -> None:
    trial = Trial(lambda time_s: [walking(time_s)], fps=fps, seconds=9.0)
    assert trial.gaps_s(2.5, 9.0) == pytest.approx(1 / fps)


def test_a_place_with_things_only_counts_as_empty() -> None:
    trial = Trial(lambda _: [STANDING], fps=10.0, seconds=14.0)
    assert trial.gaps_s(8.0, 14.0) == pytest.approx(1.0)
    assert not any(track.confirmed for tracks in trial.told.values() for track in tracks)


def test_somebody_unseen_stays_unseen_between_the_looks() -> None:
    trial = Trial(lambda time_s: [walking(time_s)] if time_s < 5.0 else [], fps=10.0, seconds=5.6)
    (track,) = trial.told[max(trial.told)]
    assert track.unseen_s > 0.3


def test_an_empty_place_is_empty_however_its_noise_is_coded(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    wall = random.integers(60, 190, (9, 16, 3)).repeat(40, 0).repeat(40, 1).astype(np.uint8)

    def noisy(number: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        return np.clip(wall + random.normal(0, 3.0, (*wall.shape[:2], 1)), 0, 255).astype(np.uint8)

    coder = {
        "preset": "veryfast",
        "tune": "zerolatency",
        "b": "1000k",
        "maxrate": "1000k",
        "bufsize": "2000k",
    }
    times_s = [frame / 10 for frame in range(60)]
    film = make_film(
        tmp_path / "night.mp4", times_s=times_s, size=(640, 360), picture=noisy, coder=coder, key_every=40
    )
    watch, looked_s, video = (
        SceneWatch(FloorTracker(TrackerSettings(), CameraView(640, 360))),
        [],
        VideoReader(film),
    )
    for time_s in times_s:
        picture = video.read()
        assert picture is not None
        image = video.pixels(picture)
        if watch.wants(image, time_s):
            looked_s.append(time_s)
            watch.see(image, [], [], time_s)
    assert len(looked_s) <= 12, looked_s
