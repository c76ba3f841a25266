"""An outbox that is damaged: it is set aside, what can be read is kept, numbering never goes back."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from broker.mosquitto import LocalBroker
from broker.settings import BrokerSettings
from contract.facts import Visit
from contract.gaps import Gap
from contract.ranges import SeqRanges
from runtime.uplink.delivery.sender import Sender
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox import database
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.repair import DAMAGED_KEPT, check_request
from runtime.uplink.outbox.writer import Outbox
from tests.uplink.ends import WaitUntil
from tests.uplink.facts import ORIGIN, accounted, stored, visit


def test_a_damaged_outbox_is_set_aside_and_numbering_never_goes_back(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(500)])
    data = bytearray(path.read_bytes())
    data[4096 * 2 : 4096 * 20] = b"\xff" * (4096 * 18)
    path.write_bytes(data)
    with Outbox(path, ORIGIN) as outbox:
        assert outbox.append([visit(1)]) > 500
        outbox.flush()
    assert len(list(tmp_path.glob("outbox.db.damaged-*"))) >= 1
    facts = stored(path)
    assert any(isinstance(fact, Gap) and "damaged" in fact.why for _, fact in facts)
    assert len(accounted(path)) == 1 and accounted(path).prefix_end() == facts[-1][0]


def test_only_the_last_damaged_outboxes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for number in range(DAMAGED_KEPT + 2):
        path.write_bytes(b"damaged %d " % number * 1000)
        with Outbox(path, ORIGIN) as outbox:
            outbox.append([visit(number)])
    kept = [aside.read_bytes()[8:9] for aside in tmp_path.glob("outbox.db.damaged-*")]
    assert sorted(kept) == [b"%d" % number for number in range(2, DAMAGED_KEPT + 2)]


def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_text("this is not a database, it is a shopping list\n" * 100)
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(1)])
        assert outbox.flush() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("last_seq", "many"),
        ("last_seq", "3"),
        ("last_seq", str(10**30)),
        ("losses", '{"full":'),
        ("losses", "[" * 5_000),
        ("losses", '{"full":{"ranges":"3-11","kinds":{}}}'),
        ("losses", '{"full":{"ranges":"3-' + "8" * 30 + '","kinds":{}}}'),
        ("delivered", "1-x"),
        ("delivered", "1-900"),
    ],
    ids=lambda one: one[:8],
)
def test_notes_that_are_damaged_are_damage_like_any_other(tmp_path: Path, name: str, value: str) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(10)])
    db = sqlite3.connect(path)
    database.write_note(db, name, value)
    db.commit()
    db.close()
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(10)])
        last_seq = outbox.flush()
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1
    visits = [seq for seq, fact in stored(path) if not isinstance(fact, Gap)]
    assert visits[:-1] == list(range(1, 11)) and visits[-1] > 10_000
    assert accounted(path).prefix_end() >= last_seq


def test_a_number_beside_the_outbox_that_is_none_is_written_anew_while_the_outbox_is_sound(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(1)])
    number = tmp_path / "outbox.db.seq"
    number.write_bytes(b"\xff\xfe\n")
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(2)])
        assert outbox.flush() == 2
    assert int(number.read_text().splitlines()[0]) >= 2
    number.write_bytes(b"-7\n")
    path.write_bytes(b"no database " * 500)
    with pytest.raises(OutboxError, match=r"holds no number, and the outbox is damaged .*greater than any"):
        Outbox(path, ORIGIN)


def test_damage_met_while_running_is_set_aside_and_work_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(2_000)])
        outbox.flush()
        outbox.disk.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        outbox.disk.db.execute("PRAGMA cache_size=1")
        with path.open("r+b") as file:
            for page in range(1, path.stat().st_size // 4096):
                file.seek(page * 4096)
                file.write(b"\xff" * 4096)
        last_seq = outbox.append([visit(1), visit(2)])
        outbox.flush()
        assert outbox.append([visit(3)]) > last_seq == 2_002
        outbox.flush()
    assert list(tmp_path.glob("outbox.db.damaged-*"))
    assert list(accounted(path)) == [(1, stored(path)[-1][0])]


def test_a_reader_that_meets_damage_makes_the_writer_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.uplink.outbox.writer.HOUSEKEEPING_S", 0.05)
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(2_000)])
        outbox.flush()
        outbox.disk.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(4096 * 9)
            file.write(b"\xff" * 4096)
        check_request(path).touch()
        for _ in range(500):
            if list(tmp_path.glob("outbox.db.damaged-*")):
                break
            time.sleep(0.01)
        outbox.append([visit(1)])
        outbox.flush()
    assert list(accounted(path)) == [(1, stored(path)[-1][0])]
    assert not check_request(path).exists()


def test_what_can_be_read_of_a_damaged_outbox_is_kept_and_only_the_rest_is_called_lost(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(1, 5_001)])
    reader = OutboxReader(path)
    reader.note_delivered(SeqRanges([(1, 100)]))
    reader.close()
    with path.open("r+b") as file:
        for page in range(100, 110):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    with Outbox(path, ORIGIN):
        pass
    facts = stored(path)
    kept = {seq for seq, fact in facts if isinstance(fact, Visit)}
    assert 4_700 < len(kept) < 5_000
    assert all(fact.key == f"visit/{seq}" for seq, fact in facts if isinstance(fact, Visit))
    (gap,) = [fact for _, fact in facts if isinstance(fact, Gap)]
    named = SeqRanges(gap.ranges)
    assert not any(seq in named for seq in kept)
    known = accounted(path)
    known.add(1, 100)
    assert list(known) == [(1, facts[-1][0])]
    reader = OutboxReader(path)
    assert list(reader.delivered()) == [(1, 100)]
    reader.close()


def test_a_schema_that_is_no_text_any_more_is_damage_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(10)])
    data = path.read_bytes()
    assert data.count(b"tableeventsevents") == data.count(b"CREATE TABLE events") == 1
    data = data.replace(b"tableevents", b"table\xdcvents")
    path.write_bytes(data.replace(b"CREATE TABLE events", b"CREATE TABLE (vents"))
    with Outbox(path, ORIGIN) as outbox:
        assert outbox.append([visit(11)]) > 10
    assert len(list(tmp_path.glob("outbox.db.damaged-*"))) == 1


def test_a_row_whose_kind_is_no_text_any_more_is_still_read_and_delivered(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(10)])
    db = sqlite3.connect(path)
    db.execute("UPDATE events SET kind = CAST(x'76ff4c' AS TEXT) WHERE seq = 4")
    db.commit()
    db.close()
    reader = OutboxReader(path)
    assert [row.seq for row in reader.rows(1, limit=100)] == list(range(1, 11))
    reader.close()
    with Outbox(path, ORIGIN) as outbox:
        assert outbox.append([visit(11)]) == 11


def test_an_event_on_disk_that_cannot_be_read_is_said_and_does_not_end_the_sender(
    tmp_path: Path, broker: LocalBroker, wait_until: WaitUntil
) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(1)])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE events SET body = ?", (b"\x00 no event",))
    sender = Sender(path, ORIGIN, BrokerSettings(host="127.0.0.1", port=broker.port), first_pause_s=0.05)
    sender.start()
    try:
        wait_until(lambda: "not an event" in sender.stats().detail, 20.0)
        assert sender.is_alive()
    finally:
        sender.stop()
