"""Sources are taken in from where they were left, and again from the beginning where they were replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fleet import parts
from fleet.embedded.feeding import feed_file, feed_store
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest.consumer.store import CloudStore
from fleet.ingest.sources import EventStore, lines_of

from .lines import ORIGIN, event, footfall, rows
from .test_warehouse import ENTERED


def test_what_the_consumer_stores_comes_into_the_warehouse_once_and_in_order(tmp_path: Path) -> None:
    cloud = CloudStore(tmp_path / "events.db")
    warehouse = Warehouse(":memory:")
    store = EventStore(tmp_path / "events.db")
    cloud.take(ORIGIN, [event(footfall(3)), event(footfall(5, rev=1), 2)])
    assert feed_store(warehouse, store) == 0, "not before it is durable"
    cloud.commit()
    assert feed_store(warehouse, store, batch=1) == 2
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 5)]
    assert rows(warehouse, "SELECT count(*) FROM ods_footfall WHERE received_s > 1.7e9") == [(1,)]
    cloud.take(ORIGIN, [event(footfall(4, rev=2), 3)])
    cloud.commit()
    assert feed_store(warehouse, store) == 1
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 4)]
    cloud.close()


def test_a_store_that_was_put_back_from_a_copy_is_read_again(tmp_path: Path) -> None:
    warehouse = Warehouse(":memory:")
    path = tmp_path / "events.db"
    for lines in ([footfall(3), footfall(5, rev=1)], [footfall(3), footfall(6, rev=2), footfall(5, rev=1)]):
        path.unlink(missing_ok=True)
        cloud = CloudStore(path)
        cloud.take(ORIGIN, [event(fact, seq) for seq, fact in enumerate(lines, 1)])
        cloud.close()
        store = EventStore(path)
        feed_store(warehouse, store)
        store.close()
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 6)]


def test_no_store_and_a_store_of_another_version_are_said(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="no event store there; tagsight uplink receive --db"):
        EventStore(tmp_path / "none.db")
    Warehouse(tmp_path / "w.db").close()
    with pytest.raises(FleetError, match="no event store of this version"):
        EventStore(tmp_path / "w.db")


def test_a_file_that_grows_is_read_on_and_another_in_its_place_from_its_beginning(tmp_path: Path) -> None:
    file, warehouse = tmp_path / "events.jsonl", Warehouse(":memory:")
    half = event(footfall(7, rev=2), 3)
    file.write_bytes(event(footfall(3)) + b"\n" + event(footfall(5, rev=1), 2) + b"\n" + half[:40])
    assert feed_file(warehouse, file) == 2
    with file.open("ab") as opened:
        opened.write(half[40:])
    assert feed_file(warehouse, file) == 1
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 7)]
    file.write_bytes(event(footfall(9, rev=3), 4) + b"\n")
    assert feed_file(warehouse, file) == 1
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 9)]


def test_rubbish_is_counted_named_in_part_and_never_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fleet.ingest.sources.MAX_LINE_BYTES", 1000)
    file, warehouse = tmp_path / "events.jsonl", Warehouse(":memory:")
    long = b'{"id":"' + b"x" * 5000 + b'"}\n'
    file.write_bytes(b"rubbish\n" * 40 + long + event(footfall(7)) + b"\n" + long[:-1])
    assert feed_file(warehouse, file) == 43
    assert warehouse.counters()["unreadable"] == 42
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 7)]
    said = [line for line in caplog.messages if "left out" in line]
    assert len(said) == 11 and "counted without a word" in said[-1]
    assert max(map(len, (line.body for line in lines_of(file)))) < 1000


@pytest.mark.slow
def test_killed_at_ten_random_moments_it_goes_on_within_seconds_and_is_exact() -> None:
    found = parts.kills(10, stores=6)
    assert found["kills"] == 10
    assert found["differing_rows"] == 0 and found["intact"]
