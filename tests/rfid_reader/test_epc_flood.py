"""Invented EPCs beside real tags: places go to tags that are read again, and memory has a bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rfid_reader.flips import METHODS, make_detector, tag_rows, ticks
from rfid_reader.presence import FittingRooms
from rfid_reader.reads import ReadTable
from rfid_reader.session.health import RateMeter, ReaderHealth
from rfid_reader.simulator.world import World
from rfid_reader.stock import StockTags, digests_of
from tests.rfid_reader.small_stores import small_store


def reads_of(times: np.ndarray, epcs: list[str], seed: int = 1) -> ReadTable:
    rng = np.random.default_rng(seed)
    count = len(epcs)
    channel = rng.integers(1, 5, count)
    return ReadTable.from_columns(
        times, epcs, np.ones(count), channel, rng.normal(-55, 0.5, count), channel * 0.7 % 6
    )


def real(epcs: list[str], start_s: float, end_s: float, rate_hz: float = 2.0) -> ReadTable:
    """Each tag read at a steady rate."""
    count = int((end_s - start_s) * rate_hz)
    times = np.repeat(start_s + np.arange(count) / rate_hz, len(epcs))
    return reads_of(times, epcs * count)


def invented(
    start_s: float, end_s: float, rate_hz: float, times_each: int = 1, prefix: str = "ff"
) -> ReadTable:
    """EPCs that nobody sewed in anywhere, each read times_each times in a row."""
    count = int((end_s - start_s) * rate_hz)
    epcs = [f"{prefix}{int(start_s):08x}{number // times_each:08x}" for number in range(count)]
    return reads_of(start_s + np.arange(count) / rate_hz, epcs)


def together(*tables: ReadTable) -> ReadTable:
    return ReadTable.concatenate(tables).in_time_order()


def rows_of(detector: object) -> set[str]:
    assert isinstance(detector, ticks.TickingDetector)
    return {detector.tag_rows.epcs[row] for row in detector.tag_rows.used().tolist()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("times_each", [1, 2, 6])
def test_a_flood_of_invented_epcs_keeps_no_real_tag_out(
    method: str, times_each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_rows, "FREE_ROWS", 32)
    monkeypatch.setattr(tag_rows, "MAX_TAGS", 128)
    detector = make_detector(method)
    early, late = [f"e280{n:04x}" for n in range(12)], [f"e281{n:04x}" for n in range(12)]
    for start_s in np.arange(0.0, 60.0, 10.0):
        tags = early if start_s < 30 else early + late
        flood = invented(start_s, start_s + 10, 120.0, times_each)
        detector.feed(together(real(tags, start_s, start_s + 10), flood))
        assert len(rows_of(detector)) <= 128
    detector.advance(62.0)
    assert set(early + late) <= rows_of(detector)
    assert not set(early + late) & set(detector.insufficient())
    assert detector.reads_refused == 0
    assert (detector.reads_waiting > 3000) == (times_each == 1)


def test_flips_are_the_same_beside_a_flood() -> None:
    given = [
        {"rack": "shirts", "tag": 2, "start_s": 20.0, "end_s": 23.0},
        {"rack": "coats", "tag": 3, "start_s": 33.0, "end_s": 36.0},
    ]
    world = World(small_store(flips={"given": given}))
    reads = world.reads(45.0, world.setup())

    def flips(table: ReadTable) -> set[tuple[str, float]]:
        detector = make_detector("production")
        return {(flip.epc, flip.start_s) for flip in detector.feed(table) + detector.finish()}

    alone = flips(reads)
    assert len(alone) == 2
    flood = invented(0.0, 45.0, 300.0)
    ghosts = ReadTable(
        flood.time_s, flood.epc, flood.antenna + 2, flood.channel, flood.rssi_dbm, flood.phase_rad
    )
    assert flips(together(reads, ghosts)) == alone


def test_ghost_reads_over_hours_do_not_make_the_table_grow() -> None:
    rows = tag_rows.TagRows()
    for minute in range(6 * 60):
        ghosts = invented(60.0 * minute, 60.0 * minute + 60.0, 1.0, 2)
        rows.make_room(ghosts, 60.0 * minute + 60.0, lambda: np.ones(len(rows.epcs), np.bool_))
        rows.note(rows.rows(ghosts.epc), ghosts)
    assert len(rows.epcs) <= tag_rows.FREE_ROWS
    assert rows.refused == 0


def filled(monkeypatch: pytest.MonkeyPatch, now_s: float = 20.0) -> ticks.TickingDetector:
    """A detector whose eight places are taken by tags that are proven and there."""
    monkeypatch.setattr(tag_rows, "MAX_TAGS", 8)
    detector = make_detector("raw")
    assert isinstance(detector, ticks.TickingDetector)
    detector.feed(real([f"aa{n:02x}" for n in range(8)], 0.0, now_s))
    detector.advance(now_s + 2.0)
    assert detector.tag_rows.full
    return detector


def test_a_tag_of_the_stock_has_a_place_before_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = filled(monkeypatch)
    detector.prefer(StockTags(digests_of(["bb01"]), ["cc*"]).has)
    detector.feed(
        together(real([f"aa{n:02x}" for n in range(8)], 20, 30), real(["bb01", "cc07", "dd01"], 20, 30))
    )
    detector.advance(32.0)
    assert {"bb01", "cc07"} <= rows_of(detector)
    assert "dd01" not in rows_of(detector) and detector.reads_refused > 0
    assert "dd01" in detector.insufficient()


def test_tags_that_are_read_again_and_again_stay_until_they_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = filled(monkeypatch)
    detector.feed(together(real([f"aa{n:02x}" for n in range(7)], 20, 30), real(["dd01"], 20, 30)))
    detector.advance(32.0)
    assert "dd01" not in rows_of(detector)
    detector.feed(together(real([f"aa{n:02x}" for n in range(7)], 30, 100), real(["dd01"], 30, 100)))
    detector.advance(102.0)
    assert "dd01" in rows_of(detector) and "aa07" not in rows_of(detector)


def test_a_flip_that_is_open_is_not_said_of_the_tag_that_takes_over_the_row() -> None:
    detector = make_detector("raw")
    assert isinstance(detector, ticks.TickingDetector)
    events = detector.events  # type: ignore[attr-defined]
    detector.tag_rows.epcs.append("aa")
    one, group, score = np.array([0]), np.array([0]), np.array([1.0])
    for step in range(8):
        events.tick(float(step), one, score, group)
    detector._forget(one)
    detector.tag_rows.epcs[0] = "bb"
    assert events.close(20.0) == []


def test_reads_of_a_tag_that_gave_way_are_none_of_its_successor() -> None:
    recent = ticks.RecentReads(5.0)
    columns = {name: np.zeros(4) for name in recent.names if name not in ("time_s", "tag")}
    recent.append(time_s=np.arange(4.0), tag=np.array([0, 1, 0, 2]), **columns)
    recent.forget_tags(np.array([0]))
    assert recent.tags().tolist() == [1, 2] and recent.column("time_s").tolist() == [1.0, 3.0]


def test_the_rates_of_real_tags_are_told_beside_a_flood() -> None:
    meter = RateMeter()
    tags = [f"e280{n:04x}" for n in range(20)]
    for second in range(12):
        flood = [f"ff{second:04x}{n:08x}" for n in range(20_000)]
        epcs = flood[:10_000] + tags + flood[10_000:] if second else tags
        meter.count(float(second), [1] * len(epcs), epcs)
    health = meter.rated(ReaderHealth(), 11.5)
    assert all(health.tag_rates[tag] > 0.9 for tag in tags)
    assert health.tags_seen < 60_000 and health.read_rate > 19_000


def test_a_garment_in_the_fitting_room_is_followed_beside_a_flood() -> None:
    rooms = FittingRooms({1}, gone_s=15.0)
    said = []
    for second in range(20):
        flood = invented(float(second), second + 1.0, 3_000.0)
        said += rooms.feed(together(flood, real(["e280aa"], float(second), second + 1.0)))
    assert [presence.epc for presence in said] == ["e280aa"]
    assert len(rooms._stays) <= 4096 and rooms.refused == 0


@pytest.mark.slow
def test_twenty_thousand_invented_epcs_take_little_memory() -> None:
    """Each is read three times, so that all places are taken: the most that a flood can do."""
    detector = make_detector("production")
    before_mb = resident_mb()
    for start_s in range(0, 30, 5):
        tags = real([f"e280{n:04x}" for n in range(40)], start_s, start_s + 5)
        detector.feed(together(tags, invented(start_s, start_s + 5, 800.0, 3)))
    assert isinstance(detector, ticks.TickingDetector)
    assert resident_mb() - before_mb < 160
    assert len(detector.tag_rows.epcs) == tag_rows.MAX_TAGS == 4_096


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
