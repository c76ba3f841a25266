from __future__ import annotations

import numpy as np

from runtime import messages
from runtime.messages import PersonsSeen
from runtime.vision.heads.embedding_reports import AGAIN_S, MAX_AT_ONCE, MAX_PERSONS, EmbeddingReports
from runtime.vision.records import persons_seen
from runtime.vision.track import CameraView, FloorTracker, Track, TrackerSettings

RED, BLUE = np.eye(4)[0], np.eye(4)[1]


def test_looks_are_told_once_and_again_where_they_change() -> None:
    told = EmbeddingReports()
    assert set(told.due({1: RED}, 0.0)) == {1}
    assert told.due({1: RED}, 5.0) == {}
    assert told.due({1: BLUE}, AGAIN_S / 2) == {}
    assert np.frombuffer(told.due({1: BLUE}, 9.0)[1], np.float16).tolist() == BLUE.tolist()


def test_looks_of_a_track_that_is_gone_are_forgotten() -> None:
    told = EmbeddingReports()
    told.due({1: RED}, 0.0)
    told.due({}, 0.1)
    assert set(told.due({1: RED}, 0.2)) == {1}


def test_of_many_newcomers_some_are_told_later() -> None:
    told, looks = EmbeddingReports(), dict.fromkeys(range(20), RED)
    first = told.due(looks, 0.0)
    assert len(first) == MAX_AT_ONCE
    assert not first.keys() & told.due(looks, 0.1).keys()


def test_the_largest_record_with_looks_can_be_sent() -> None:
    tracks = [Track(n, 0.0, (1e3 / 3,) * 4, 1 / 3, (1 / 3, 1 / 3), None, None) for n in range(MAX_PERSONS)]
    looks = EmbeddingReports().due({track.id: np.ones(1024) for track in tracks if track.id is not None}, 0.0)
    values = {
        "action": dict.fromkeys(range(MAX_PERSONS), (1 / 3,)),
        "more": dict.fromkeys(range(MAX_PERSONS), (1 / 3,) * 8),
    }
    record = persons_seen("c" * 64, 1, 0.0, tracks, range(256), 86_400_000, values, looks)
    assert sum(bool(person.looks) for person in record.persons) == MAX_AT_ONCE
    assert isinstance(messages.decode(messages.encode(record)), PersonsSeen)


def test_the_tracker_tells_the_looks_of_people_it_sees() -> None:
    tracker = FloorTracker(TrackerSettings(), CameraView(640, 480), appearance_size=4)
    for number in range(12):
        box = [100.0 + 12 * number, 100.0, 160.0 + 12 * number, 280.0]
        tracker.update([box], [0.9], number / 10, [RED])
    (looks,) = tracker.looks().values()
    assert np.allclose(looks, RED)
    tracker.update(np.zeros((0, 4)), [], 1.3, np.zeros((0, 4)))
    assert tracker.looks() == {}
