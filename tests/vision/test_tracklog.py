"""Tracks written with a fixed delay."""

from __future__ import annotations

import pytest

from runtime.vision.track import Sighting, Track
from runtime.vision.tracklog import LAG_S, TrackLog, TrackRow, mot_line


def seen(track: int | None, time_s: float, left: float = 0.0, **more: object) -> Track:
    box = (left, 10.0, 20.0, 50.0)
    return Track(track, time_s, box, 0.8, (left / 10, 2.0), (0.0, 0.0), 0.1, **more)  # type: ignore[arg-type]


def written(
    frames: list[tuple[int, float, list[Track]]], ended: dict[int, int] | None = None
) -> list[TrackRow]:
    log = TrackLog()
    rows = []
    for frame, time_s, tracks in frames:
        gone = [track for track, at in (ended or {}).items() if at == frame]
        rows += log.add(frame, time_s, tracks, gone)
    return rows + log.finish()


def test_unconfirmed_tracks_are_not_written() -> None:
    assert written([(0, 0.0, [seen(None, 0.0)])]) == []


def test_the_first_sightings_are_written_once_the_track_is_confirmed() -> None:
    backfill = (Sighting(0.0, (5.0, 10.0, 20.0, 50.0), 0.6, None),)
    rows = written([(0, 0.0, []), (1, 0.1, [seen(7, 0.1, 6.0, backfill=backfill)])])
    assert [(row.frame, row.track, row.box[0], row.score) for row in rows] == [
        (0, 7, 5.0, 0.6),
        (1, 7, 6.0, 0.8),
    ]


def test_a_short_gap_is_filled_in_on_a_straight_line() -> None:
    frames = [(i, i / 10, [seen(1, i / 10, float(i))] if i in (0, 10) else []) for i in range(11)]
    rows = written(frames)
    assert [row.frame for row in rows] == list(range(11))
    assert [round(row.box[0], 6) for row in rows] == list(range(11))
    assert rows[5].floor_xy_m == (0.5, 2.0)
    assert [row.score for row in rows[1:10]] == [0.0] * 9


def test_a_long_gap_is_left_open() -> None:
    frames = [(i, i / 10, [seen(1, i / 10)] if i in (0, 25) else []) for i in range(26)]
    assert [row.frame for row in written(frames)] == [0, 25]


def test_predicted_places_are_not_written() -> None:
    rows = written([(0, 0.0, [seen(1, 0.0)]), (1, 0.1, [seen(1, 0.1, unseen_s=0.1)])])
    assert [row.frame for row in rows] == [0]


def test_people_truncated_by_the_picture_are_not_written() -> None:
    rows = written([(0, 0.0, [seen(1, 0.0)]), (1, 0.1, [seen(1, 0.1, truncated=True)])])
    assert [row.frame for row in rows] == [0]


def test_rows_come_after_a_fixed_delay_in_order_and_memory_stays_flat() -> None:
    log = TrackLog()
    rows: list[TrackRow] = []
    for frame in range(600):
        time_s = frame / 10
        fresh = log.add(frame, time_s, [seen(2, time_s), seen(1, time_s)], [])
        assert all(row.time_s <= time_s - LAG_S for row in fresh)
        rows += fresh
        assert len(log._pages) <= LAG_S * 10 + 1
    assert [(row.frame, row.track) for row in rows[:4]] == [(0, 1), (0, 2), (1, 1), (1, 2)]


def test_mot_challenge_text() -> None:
    row = TrackRow(0, 0.0, 3, (1.0, 2.5, 30.0, 60.126), 0.91234, None)
    assert mot_line(row) == "1,3,1.00,2.50,30.00,60.13,0.9123,-1,-1,-1"


def test_people_off_the_floor_plan_are_told_from_those_on_it() -> None:
    row = TrackRow(0, 0.0, 3, (1.0, 2.0, 3.0, 4.0), 0.9, (5.0, 5.0))
    assert row.on_plan((0, 0, 6, 6))
    assert not row.on_plan((0, 0, 4, 6))
    assert row.on_plan(None)


def test_a_frame_that_was_not_looked_at_has_who_was_seen_before_and_after_it() -> None:
    log = TrackLog()
    rows = log.add(0, 0.0, [seen(1, 0.0, 0.0), seen(2, 0.0, 5.0)], ())
    rows += log.skip(1, 0.1)
    rows += log.add(2, 0.2, [seen(1, 0.2, 2.0)], ()) + log.skip(3, 0.3) + log.finish()
    assert [(row.frame, row.track) for row in rows] == [(0, 1), (0, 2), (1, 1), (2, 1)]
    assert rows[2].box[0] == 1.0 and rows[2].score == pytest.approx(0.8), "seen, as far as anybody can say"
