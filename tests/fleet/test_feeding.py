"""Sources are taken in from where they were left, and again from the beginning where they were replaced."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO

import pytest

from bench.fleet import parts
from contract.envelope import Origin
from fleet.embedded import feeding
from fleet.embedded.feeding import feed_file, feed_store
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest import sources
from fleet.ingest.consumer.store import CloudStore
from fleet.ingest.sources import EventStore, FollowedFile, lines_of

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


class Broken(Exception):
    """The process ends here."""


@pytest.fixture
def many_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 600 lines of 40 stores, of which windows of 320 and batches of 50 are taken."""
    for name, value in (("BATCH", 20), ("LINES_A_STORE", 8), ("MOST_LINES", 50)):
        monkeypatch.setattr(feeding, name, value)
    file = tmp_path / "events.jsonl"
    with file.open("wb") as out:
        for number in range(600):
            fact = footfall(number % 7, rev=number // 80)
            out.write(event(fact, number + 1, Origin(f"store {number % 40}", "box")) + b"\n")
    return file


SAID = "SELECT site, entered FROM dws_footfall_hour ORDER BY site"


def broken_after(batches: int, warehouse: Warehouse, file: Path) -> None:
    left = count(batches - 1, -1)

    def told(_: int) -> None:
        if next(left) == 0:
            raise Broken

    with pytest.raises(Broken):
        feed_file(warehouse, file, told=told)


def test_many_stores_are_taken_in_by_store_and_go_on_where_they_were_broken_off(
    many_stores: Path, tmp_path: Path
) -> None:
    plain, by_store = Warehouse(":memory:"), Warehouse(":memory:")
    assert feed_file(plain, many_stores, batch=50) == 600
    sizes: list[int] = []
    assert feed_file(by_store, many_stores, told=sizes.append) == 600
    assert rows(by_store, SAID) == rows(plain, SAID) and by_store.counters() == plain.counters()
    assert max(after - before for before, after in zip([0, *sizes], sizes, strict=False)) <= 50
    for batches in range(1, len(sizes)):
        path = tmp_path / f"{batches}.db"
        first = Warehouse(path)
        broken_after(batches, first, many_stores)
        first.close()
        second = Warehouse(path)
        assert feed_file(second, many_stores) == 600 - sizes[batches - 1]
        assert rows(second, SAID) == rows(plain, SAID) and second.counters() == plain.counters()
        assert rows(second, "SELECT position FROM progress") == [(600,)]
        second.close()


def test_a_store_of_many_shops_is_taken_in_by_shop(many_stores: Path, tmp_path: Path) -> None:
    cloud = CloudStore(tmp_path / "events.db")
    for number, line in enumerate(many_stores.read_bytes().splitlines()):
        cloud.take(Origin(f"store {number % 40}", "box"), [line])
    cloud.close()
    plain, by_store = Warehouse(":memory:"), Warehouse(":memory:")
    store = EventStore(tmp_path / "events.db")
    assert feed_store(plain, store, batch=50) == feed_store(by_store, store) == 600
    assert rows(by_store, SAID) == rows(plain, SAID)
    assert rows(by_store, "SELECT * FROM progress") == rows(plain, "SELECT * FROM progress")


def test_a_window_of_a_file_that_was_replaced_is_forgotten(many_stores: Path) -> None:
    warehouse, plain = Warehouse(":memory:"), Warehouse(":memory:")
    known = many_stores.with_name("before.jsonl")
    known.write_bytes(b"".join(many_stores.read_bytes().splitlines(keepends=True)[:40]))
    for one in (warehouse, plain):
        feed_file(one, known, batch=50)
    broken_after(3, warehouse, many_stores)
    many_stores.write_bytes(many_stores.read_bytes().replace(b'"rev":', b'"rev":9'))
    assert feed_file(warehouse, many_stores) == feed_file(plain, many_stores, batch=50) == 600
    assert rows(warehouse, SAID) == rows(plain, SAID)
    assert rows(warehouse, "SELECT * FROM progress") == rows(plain, "SELECT * FROM progress")


def test_a_file_that_grows_is_not_read_from_its_beginning_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    bounded = sources._bounded

    def counting(opened: BinaryIO) -> Iterator[tuple[int, bytes]]:
        for length, body in bounded(opened):
            read.append(body)
            yield length, body

    monkeypatch.setattr(sources, "_bounded", counting)
    file, warehouse = tmp_path / "events.jsonl", Warehouse(":memory:")
    followed = FollowedFile(file)
    bodies = [event(footfall(number, rev=number), number) for number in range(1, 60)]

    def fed(text: bytes, mode: str = "ab") -> tuple[int, int]:
        """Lines that are taken in, and that are read."""
        with file.open(mode) as opened:
            opened.write(text)
        read.clear()
        return feed_file(warehouse, file, followed=followed), len(read)

    assert fed(b"\n".join(bodies[:40])) == (40, 40), "the last one is whole without its end"
    assert fed(b"\n" + bodies[40] + b"\n\n" + bodies[41][:50]) == (1, 4)
    assert fed(bodies[41][50:] + b"\n") == (1, 2), "an empty line is looked at once more"
    assert fed(b"") == (0, 0)
    assert feed_file(warehouse, file) == 0, "who begins anew counts the same lines"
    assert fed(bodies[42] + b"\n") == (1, 1)
    assert fed(b"\n".join([bodies[0], *bodies[50:]]) + b"\n", "wb")[0] == 0, "as many lines are in already"
    assert fed(b"\n".join(bodies[1:4]) + b"\n", "wb") == (3, 3), "another file in its place"


def test_a_line_that_was_read_and_not_stored_is_read_again(tmp_path: Path) -> None:
    for name, text in (
        ("a.jsonl", event(footfall(7)) + b"\n"),
        ("a.csv", b"site,key,sku,time_s\nplaza,k,s,1792929600\n"),
    ):
        (tmp_path / name).write_bytes(text)
        followed = FollowedFile(tmp_path / name)
        for _ in range(2):
            assert len(list(followed.lines(0))) == 1
        assert list(followed.lines(1)) == []
        with (tmp_path / name).open("ab") as opened:
            opened.write(text.splitlines(keepends=True)[-1])
        assert [line.position for line in followed.lines(1)] == [2]
