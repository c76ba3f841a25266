"""What the tracker's bench says of tracks that are right, swapped, false or not to count."""

from __future__ import annotations

import numpy as np
import pytest

from bench.vision.track.clips import LabelledClip
from bench.vision.track.peers import peers, track
from bench.vision.track.scores import Scores, scores_of, without_unmarked
from engines.inference.detector import Detections
from runtime.vision.tracklog import TrackRow

FRAMES = range(40)


def truth() -> np.ndarray:
    """Two who walk side by side, and one far off who does not count; MOT15 columns."""
    rows = [
        (frame + 1, person, 20.0 + 5 * frame, 200.0 * person, 50.0, 150.0, person < 3, -1, -1, -1)
        for frame in FRAMES
        for person in (1, 2, 3)
    ]
    return np.array(rows, dtype=np.float64)


def rows_of(swap_at: int = 1000, people: tuple[int, ...] = (1, 2)) -> list[TrackRow]:
    other = {1: 2, 2: 1, 3: 3}
    return [
        TrackRow(
            frame,
            frame / 10,
            other[person] if frame >= swap_at else person,
            (20.0 + 5 * frame, 200.0 * person, 50.0, 150.0),
            0.9,
            None,
        )
        for frame in FRAMES
        for person in people
    ]


def scored(rows: list[TrackRow]) -> Scores:
    pytest.importorskip("motmetrics")
    there = truth()
    return scores_of(there[there[:, 6] == 1], rows, FRAMES)


def test_right_tracks_have_all_marks() -> None:
    found = scored(rows_of())
    assert (found.mota, found.idf1, found.switches, found.misses) == (1.0, 1.0, 0, 0)
    assert found.hota is None or found.hota == pytest.approx(1.0)


def test_swapped_ids_cost_identity_and_hardly_detection() -> None:
    found = scored(rows_of(swap_at=20))
    assert found.switches == 2 and found.mota > 0.9
    assert found.idf1 == pytest.approx(0.5, abs=0.05)
    assert found.hota is None or 0.4 < found.hota < 0.8


def test_who_does_not_count_is_a_false_alarm_unless_ignored() -> None:
    rows = rows_of(people=(1, 2, 3))
    assert scored(rows).false_alarms == len(FRAMES)
    assert scored(without_unmarked(rows, truth())).false_alarms == 0


@pytest.mark.skipif(not peers(), reason="no other trackers here: pip install --no-deps trackers trackeval")
@pytest.mark.parametrize("name", peers())
def test_other_trackers_follow_the_same_boxes(name: str) -> None:
    boxes = np.array([(20.0, 200.0, 70.0, 350.0), (20.0, 400.0, 70.0, 550.0)])
    step = np.array([5.0, 0.0, 5.0, 0.0])
    found = [Detections(np.float32(boxes + frame * step), np.full(2, 0.9, np.float32)) for frame in FRAMES]
    small = [np.zeros((180, 240), np.uint8)] * len(found)
    clip = LabelledClip("made", (640, 720), 10.0, None, truth(), found, small)
    scores = scored(track(name, clip, FRAMES))
    assert scores.idf1 > 0.85 and scores.switches == 0
