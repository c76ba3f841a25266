from __future__ import annotations

import numpy as np

from rfid_reader.presence import FittingRooms, Presence
from rfid_reader.reads import ReadTable


def stay(start_s: float, seconds: float, antenna: int = 7, rssi_dbm: float = -55.0) -> ReadTable:
    times = np.arange(start_s, start_s + seconds, 1.0)
    count = len(times)
    return ReadTable.from_columns(
        times, ["aa"] * count, [antenna] * count, [1] * count, [rssi_dbm] * count, [0.0] * count
    )


def test_a_tag_that_stays_is_said_once_and_closed_when_it_leaves() -> None:
    rooms = FittingRooms({7})
    assert rooms.feed(stay(100, 30)) == [Presence("aa", 7, 100, 110, 11, True)]
    assert rooms.advance(140) == []
    assert rooms.advance(145) == [Presence("aa", 7, 100, 129, 30, False)]
    assert rooms.finish() == []


def test_a_tag_that_is_only_carried_past_is_not_a_try_on() -> None:
    rooms = FittingRooms({7})
    assert rooms.feed(stay(100, 6)) == []
    assert rooms.feed(stay(200, 6)) == []
    assert rooms.finish() == []


def test_weak_reads_and_other_antennas_do_not_count() -> None:
    rooms = FittingRooms({7})
    assert rooms.feed(stay(100, 40, rssi_dbm=-75)) + rooms.feed(stay(200, 40, antenna=1)) == []
    assert rooms.finish() == []


def test_coming_back_after_leaving_is_another_stay() -> None:
    rooms = FittingRooms({7})
    said = rooms.feed(stay(100, 20)) + rooms.feed(stay(200, 20)) + rooms.finish()
    assert [(one.start_s, one.open) for one in said] == [(100, True), (100, False), (200, True), (200, False)]
