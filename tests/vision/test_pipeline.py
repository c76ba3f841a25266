"""Frames in order through reading ahead, detection and tracking."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engines.inference.detector import PersonDetector
from runtime.vision.pipeline import VideoFrame, analyse, network_share, read_ahead
from runtime.vision.records import persons_seen, seen_before
from runtime.vision.track import CameraView, FloorTracker, SceneWatch, TrackerSettings
from tests.engines.networks import bright_spot_detector

WIDTH, HEIGHT, FPS = 416, 320, 10.0


def walker(frames: int) -> Iterator[VideoFrame]:
    """A bright square that walks to the right, half a second a cell."""
    for index in range(frames):
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        left = 32 + 6 * index
        image[96:160, left : left + 64] = 255
        yield VideoFrame(index, index / FPS, image)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = bright_spot_detector(tmp_path_factory.mktemp("networks") / "spots.onnx")
    path.with_suffix(".yaml").write_text("decoder: ltrb\nscore: 0.8")
    return path


def tracker() -> FloorTracker:
    return FloorTracker(TrackerSettings(), CameraView(WIDTH, HEIGHT))


def test_every_frame_comes_once_and_in_order(weights: Path) -> None:
    detector = PersonDetector.open(weights, threads=2, streams=2)
    seen = list(analyse(walker(25), detector, tracker()))
    assert [each.frame.index for each in seen] == list(range(25))


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 2)])
def test_overlapping_changes_nothing(weights: Path, threads: int, streams: int) -> None:
    detector = PersonDetector.open(weights, threads=threads, streams=streams)
    watch = SceneWatch(tracker())
    one_by_one = []
    for frame in walker(25):
        if watch.wants(frame.image, frame.time_s):
            found = detector.detect(frame.image)
            one_by_one.append(watch.see(frame.image, found.boxes, found.scores, frame.time_s))
        else:
            one_by_one.append(watch.follow(frame.time_s))
    analysed = list(analyse(walker(25), detector, tracker()))
    overlapped = [each.tracks for each in analysed]
    assert overlapped == one_by_one
    assert 0 < sum(not each.looked for each in analysed) < 25
    assert any(track.confirmed for track in overlapped[-1])


def test_a_fault_of_the_source_reaches_the_caller_after_the_frames_before_it(weights: Path) -> None:
    def spoiled() -> Iterator[VideoFrame]:
        yield from walker(3)
        raise OSError("the disk is gone")

    detector = PersonDetector.open(weights, threads=1)
    ahead = read_ahead(spoiled())
    assert [next(ahead).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="disk"):
        next(ahead)
    with pytest.raises(OSError, match="disk"):
        list(analyse(spoiled(), detector, tracker()))


def test_leaving_early_ends_the_reading_thread(weights: Path) -> None:
    detector = PersonDetector.open(weights, threads=1)
    stream = analyse(walker(10_000), detector, tracker())
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def test_reading_ahead_is_bounded() -> None:
    taken = []

    def counted() -> Iterator[VideoFrame]:
        for frame in walker(100):
            taken.append(frame.index)
            yield frame

    ahead = read_ahead(counted(), limit=3)
    next(ahead)
    threading.Event().wait(0.2)
    assert len(taken) <= 1 + 3 + 1
    ahead.close()


@pytest.mark.parametrize(("cores", "threads", "streams"), [(1, 1, 1), (2, 1, 1), (3, 2, 1), (8, 7, 1)])
def test_the_network_leaves_a_core_to_those_who_feed_it(cores: int, threads: int, streams: int) -> None:
    assert network_share(cores) == {"threads": threads, "streams": streams}
    assert network_share()["threads"] >= 1


def test_only_confirmed_people_in_sight_are_told_and_earlier_sightings_once(weights: Path) -> None:
    detector = PersonDetector.open(weights, threads=1)
    told: list[float] = []
    for each in analyse(walker(25), detector, tracker()):
        early = seen_before("door", each.frame.index, each.tracks, first_id=1000)
        record = persons_seen("door", each.frame.index, each.frame.time_s, each.tracks, each.ended, 1000)
        told += [before.time_s for before in early if before.persons]
        told += [record.time_s] if record.persons else []
        assert all(person.track > 1000 for person in record.persons)
    assert told, "the walker was never confirmed"
    assert told == sorted(set(told))
    assert told[0] < 0.25, "sightings before the confirmation are told too"
