"""Which stream an outbox holds: new disks, restored images, copies, outboxes of earlier versions."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from contract.envelope import StreamId, open_event
from contract.gaps import Gap
from contract.ranges import SeqRanges
from contract.wire import Ack, Status
from runtime.uplink.delivery.namesakes import MOST_AHEAD, copy_in_ack, copy_in_status, predecessor_in_status
from runtime.uplink.outbox import database
from runtime.uplink.outbox.identity import COPIED, REPLACED, Identity, Succession, read_identity
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.writer import Outbox
from tests.uplink.facts import ORIGIN, stored, visit


def identity_of(path: Path) -> Identity:
    reader = OutboxReader(path)
    identity = reader.identity()
    reader.close()
    return identity


def ids(path: Path) -> list[str]:
    reader = OutboxReader(path)
    found = [open_event(row.body).envelope.id for row in reader.rows(1, limit=10**6, max_bytes=1 << 30)]
    reader.close()
    return found


def say(path: Path, first: int, last: int) -> None:
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(first, last + 1)])


def deliver(path: Path, until_seq: int) -> None:
    reader = OutboxReader(path)
    reader.note_delivered(SeqRanges([(1, until_seq)]))
    reader.close()


def test_an_outbox_is_one_stream_and_each_start_a_new_incarnation_of_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    say(path, 1, 2)
    first = identity_of(path)
    say(path, 3, 4)
    second = identity_of(path)
    assert second.stream == first.stream and not second.migrated
    assert second.incarnations[:-1] == first.incarnations
    reader = OutboxReader(path)
    assert {open_event(row.body).envelope.stream for row in reader.rows(1)} == {first.stream}
    reader.close()
    say(tmp_path / "other" / "outbox.db", 1, 1)
    assert identity_of(tmp_path / "other" / "outbox.db").stream != first.stream


def test_an_outbox_whose_file_is_lost_goes_on_with_its_stream_and_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    say(path, 1, 5)
    before = identity_of(path)
    for part in ("outbox.db", "outbox.db-wal", "outbox.db-shm"):
        (tmp_path / part).unlink(missing_ok=True)
    say(path, 6, 6)
    after = identity_of(path)
    assert after.stream == before.stream
    assert not after.strangers(before.incarnations)
    (gap_seq, gap), (_, fact) = stored(path)[-1], stored(path)[0]
    facts = dict(stored(path))
    gaps = [one for one in facts.values() if isinstance(one, Gap)]
    assert len(gaps) == 1 and gaps[0].from_seq == 1 and min(facts) > 5
    assert {gap_seq, fact.kind, gap.kind}


def test_an_outbox_from_before_streams_had_names_keeps_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    say(path, 1, 5)
    db = sqlite3.connect(path)
    db.execute("DELETE FROM notes WHERE name = 'identity'")
    db.commit()
    db.close()
    (tmp_path / "outbox.db.seq").write_text("10005\n")
    say(path, 6, 6)
    assert identity_of(path).migrated
    assert [seq for seq, _ in stored(path)] == [1, 2, 3, 4, 5, 6]
    for part in ("outbox.db", "outbox.db-wal", "outbox.db-shm"):
        (tmp_path / part).unlink(missing_ok=True)
    stream = database.HighWater(path).identity.stream
    say(path, 7, 7)
    assert (identity_of(path).migrated, identity_of(path).stream) == (True, stream)


def test_a_copy_goes_on_as_a_new_stream_with_all_that_was_not_delivered_before(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    say(path, 1, 10)
    deliver(path, 6)
    old = identity_of(path)
    with Outbox(path, ORIGIN, OutboxLimits(group_delay_s=0.005, keep_s=1e12)) as outbox:
        outbox.append([visit(number) for number in range(11, 21)])
        outbox.flush()
        deliver(path, 15)
        moved = ids(path)[6:]
        reader = OutboxReader(path)
        reader.request(Succession(old.stream, 1, 40, COPIED, True))
        while identity_of(path).stream == old.stream:
            outbox.append([visit(99)])
        assert reader.delivered() == SeqRanges() and reader.sent() == SeqRanges()
        reader.close()
        outbox.append([visit(100)])
        last = outbox.flush()
    facts = stored(path)
    assert [seq for seq, _ in facts] == list(range(1, last + 1))
    assert len(moved) == 14 and ids(path)[: len(moved)] == moved
    (gap,) = [fact for _, fact in facts if isinstance(fact, Gap)]
    assert (gap.of_stream, gap.from_seq, gap.why) == (old.stream, 7, COPIED)
    assert gap.to_seq >= 40
    streams = {open_event(row.body).envelope.stream for row in OutboxReader(path).rows(1)}
    assert streams == {identity_of(path).stream}
    assert database.HighWater(path).identity.stream == identity_of(path).stream


def _beside(outbox: Path) -> tuple[str, int]:
    mark = database.HighWater(outbox)
    return mark.identity.stream, mark.value


def test_a_new_stream_that_the_disk_refuses_leaves_the_old_one_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN, OutboxLimits(group_delay_s=0.005, keep_s=1e12)) as outbox:
        outbox.append([visit(number) for number in range(1, 400)])
        outbox.flush()
        old, mark = identity_of(path), database.HighWater(path).value
        pages = outbox.disk.db.execute("PRAGMA page_count").fetchone()[0]
        outbox.disk.db.execute(f"PRAGMA max_page_count={pages}")
        reader = OutboxReader(path)
        reader.request(Succession(old.stream, 1, 3, "x" * 200_000, True))
        wait_until(lambda: "cannot be followed now" in caplog.text)
        as_it_was = (old.stream, mark)
        wait_until(lambda: _beside(path) == as_it_was)
        assert reader.requested() is not None
        assert [seq for seq, _ in stored(path)] == list(range(1, 400))
        outbox.disk.db.execute("PRAGMA max_page_count=1000000")
        while reader.requested() is not None:
            time.sleep(0.01)
        reader.close()
        assert identity_of(path).stream == outbox.stream != old.stream
    assert len(stored(path)) == 400


def test_a_gap_told_before_names_the_old_stream_after_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    say(path, 1, 3)
    old = identity_of(path)
    for part in ("outbox.db", "outbox.db-wal", "outbox.db-shm"):
        (tmp_path / part).unlink(missing_ok=True)
    with Outbox(path, ORIGIN, OutboxLimits(group_delay_s=0.005, keep_s=1e12)) as outbox:
        outbox.append([visit(4)])
        outbox.flush()
        reader = OutboxReader(path)
        reader.request(Succession(old.stream, 1, 3, COPIED, True))
        while reader.requested() is not None:
            pass
        reader.close()
    gaps = [fact for _, fact in stored(path) if isinstance(fact, Gap)]
    assert len(gaps) == 2
    assert {gap.of_stream for gap in gaps} == {old.stream}


@pytest.mark.parametrize("delivered", [0, 4])
def test_an_old_outbox_put_back_beside_the_mark_of_a_newer_one_is_found_out_at_once(
    tmp_path: Path, delivered: int
) -> None:
    path = tmp_path / "outbox.db"
    say(path, 1, 5)
    if delivered:
        deliver(path, delivered)
    shutil.copy(path, tmp_path / "image.db")
    say(path, 6, 9)
    old = identity_of(path)
    for part in ("outbox.db-wal", "outbox.db-shm"):
        (tmp_path / part).unlink(missing_ok=True)
    shutil.copy(tmp_path / "image.db", path)
    say(path, 10, 11)
    assert identity_of(path).stream != old.stream
    facts = stored(path)
    assert [seq for seq, _ in facts] == list(range(1, 5 - delivered + 4))
    (gap,) = [fact for _, fact in facts if isinstance(fact, Gap)]
    assert gap.of_stream == old.stream and gap.from_seq == delivered + 1


def test_a_new_outbox_says_whom_it_follows(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        reader = OutboxReader(path)
        reader.request(Succession("gone", 5, 9, REPLACED, False))
        while reader.requested() is not None:
            pass
        reader.close()
        outbox.append([visit(1)])
    (_, gap), (_, fact) = stored(path)
    assert isinstance(gap, Gap)
    assert (gap.of_stream, gap.named(), gap.why, fact.kind) == ("gone", ((5, 9),), REPLACED, "visit")


def test_a_request_that_is_over_or_unreadable_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    say(path, 1, 2)
    before = identity_of(path)
    db = sqlite3.connect(path)
    database.write_note(db, "succession", "\x00 no request")
    db.commit()
    db.close()
    with Outbox(path, ORIGIN):
        reader = OutboxReader(path)
        reader.request(Succession("another", 1, 9, COPIED, True))
        while reader.requested() is not None:
            pass
        reader.close()
    assert identity_of(path).stream == before.stream
    assert len(stored(path)) == 2


MINE = Identity("s", ("a", "b"), began=7)


def status(**more: object) -> Status:
    return Status(state="online", site="plaza", device="box-1", time="", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "is_copy"),
    [
        (status(stream="s", incarnation="b"), False),  # our own
        (status(stream="s", incarnation="a"), False),  # our own, before a restart
        (status(stream="s", incarnation="z"), True),  # another writer of our stream
        (status(stream="s", incarnation="a", last_seq=11), True),  # has used a number that we have not
        (status(stream="t", incarnation="z"), False),  # somebody else under our name
        (status(), False),  # from before streams had names
    ],
)
def test_a_status_tells_of_a_copy_by_an_incarnation_that_is_not_ours(said: Status, is_copy: bool) -> None:
    assert (copy_in_status(MINE, said, last_seq=10) is not None) == is_copy


@pytest.mark.parametrize(
    ("said", "is_copy"),
    [
        (Ack(5, "s", 10, {"a": 0, "b": 7}), False),  # knows us
        (Ack(5, "s", 11, {"a": 0, "b": 7}), True),  # knows a number that we never used
        (Ack(5, "s", 10, {"a": 0, "b": 8}), True),  # had a number before that only we can have used
        (Ack(5, "s", 10, {"b": 0, "z": 0}), True),  # knows another writer
        (Ack(5, "s"), False),  # says neither
        (Ack(5, "t", 99, {"z": 0}), False),  # another stream
        (Ack(99), False),  # from a consumer that knows no streams
    ],
)
def test_an_acknowledgement_tells_of_a_copy(said: Ack, is_copy: bool) -> None:
    assert (copy_in_ack(MINE, said, last_seq=10) is not None) == is_copy


def test_a_copy_that_claims_to_be_years_ahead_is_believed_so_far_and_no_further() -> None:
    wish = copy_in_ack(MINE, Ack(5, "s", 2**53, {"b": 7}), last_seq=10)
    assert wish is not None and wish.last == 10 + MOST_AHEAD


def test_what_the_outbox_before_had_not_delivered_is_named() -> None:
    left = status(stream="t", incarnation="z", last_seq=30, delivered_seq=20)
    assert predecessor_in_status(MINE, left) == Succession("t", 21, 30, REPLACED, False)
    all_there = msgspec.structs.replace(left, delivered_seq=30)
    assert predecessor_in_status(MINE, all_there) == Succession("t", 30, 30, REPLACED, False)
    assert predecessor_in_status(MINE, status(stream="s", last_seq=5)) is None
    assert predecessor_in_status(MINE, status(last_seq=5)) is None


def test_an_identity_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    db = database.connect(tmp_path / "outbox.db", "FULL")
    for text in ("", "{", '{"stream":"","incarnations":["a"]}', '{"stream":"s","incarnations":[]}'):
        database.write_note(db, "identity", text)
        assert read_identity(db) is None
    db.close()
    assert StreamId(*ORIGIN, "s").origin == ORIGIN
