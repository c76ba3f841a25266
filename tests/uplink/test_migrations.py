"""Upgrades keep what is in the outbox; a rollback to an older program is refused with a clear sentence."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from contract.envelope import Origin, encode_event, open_envelope
from contract.facts import Visit
from fleet.errors import FleetError
from fleet.ingest.consumer import tables
from fleet.ingest.consumer.store import CloudStore
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox import database
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.writer import Outbox

ORIGIN = Origin("plaza", "box-1")
NEXT_STEP = "CREATE INDEX events_kind ON events (kind); CREATE TABLE later (name TEXT)"


def visit(number: int) -> Visit:
    return Visit(key=f"visit/{number}", time_s=1.7e9, visitor="v", direction="in", entrance="door")


def version_of(path: Path) -> int:
    db = sqlite3.connect(path)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(version)


def an_outbox(path: Path) -> None:
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(5)])


def test_a_newer_program_takes_the_outbox_forward_with_everything_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"
    an_outbox(path)
    before = version_of(path)
    monkeypatch.setattr(database, "STEPS", (*database.STEPS, NEXT_STEP))
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(6)])
        assert outbox.flush() == 6
    assert version_of(path) == before + 1
    reader = OutboxReader(path)
    assert [row.seq for row in reader.rows(1)] == [1, 2, 3, 4, 5, 6]
    reader.close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('events_kind', 'later')").fetchone()
    db.close()


def test_after_a_rollback_the_older_program_refuses_in_a_sentence_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"
    with monkeypatch.context() as newer:
        newer.setattr(database, "STEPS", (*database.STEPS, NEXT_STEP))
        an_outbox(path)
    before = path.read_bytes()
    sentence = r"written by a newer tagsight \(outbox version 2, this one knows 1\); upgrade tagsight or give"
    for end in (lambda: Outbox(path, ORIGIN), lambda: OutboxReader(path)):
        with pytest.raises(OutboxError, match=sentence):
            end()
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_step_that_fails_leaves_the_version_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"
    an_outbox(path)
    with monkeypatch.context() as newer:
        newer.setattr(database, "STEPS", (*database.STEPS, "CREATE TABLE later (x); CREATE TABLE later (x)"))
        with pytest.raises(OutboxError, match="later already exists"):
            Outbox(path, ORIGIN)
    assert version_of(path) == 1
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(6)])
        assert outbox.flush() == 6


def test_a_cloud_store_of_every_earlier_version_goes_forward_and_a_newer_one_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "cloud.db"
    db = sqlite3.connect(path)
    db.executescript(tables.STEPS[0])
    body = encode_event(visit(1), ORIGIN, 1, 1.7e9)
    values = (open_envelope(body).id, *ORIGIN, 1, "visit", "visit/1", 0, 0, "2026", body.decode())
    db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    db.execute("INSERT INTO accounts VALUES (?, ?, '1', '', '', 3)", ORIGIN)
    db.commit()
    db.close()
    store = CloudStore(path)
    store.take(ORIGIN, [body, encode_event(visit(2), ORIGIN, 2, 1.7e9)])
    (audit,) = store.audit()
    assert (audit.events, audit.last_seq, audit.duplicates, audit.stream) == (2, 2, 4, "")
    assert [key for key, _, _ in store.facts()] == ["visit/1", "visit/2"]
    store.close()
    assert version_of(path) == len(tables.STEPS)
    db = sqlite3.connect(path)
    came = db.execute(
        "SELECT number, key, received_s IS NULL FROM arrivals JOIN events USING (site, device, id)"
    )
    assert came.fetchall() == [(1, "visit/1", 1), (2, "visit/2", 0)], "in order; of the old nobody knows when"
    db.execute("PRAGMA user_version=7")
    db.close()
    with pytest.raises(FleetError, match="event store version 7, this one knows 4"):
        CloudStore(path)
