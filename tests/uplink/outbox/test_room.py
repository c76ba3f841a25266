"""An outbox that is full, or whose disk is: what goes first, and that every loss is named."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from contract.facts import Flip, ProcessHealth
from contract.gaps import Gap
from contract.ranges import SeqRanges
from runtime.uplink.outbox import database
from runtime.uplink.outbox.database import HighWater
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.losses import DISK_REFUSED, DROP_RANK, OUTBOX_FULL, Losses
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.room import make_room
from runtime.uplink.outbox.writer import Outbox
from tests.uplink.facts import ORIGIN, accounted, flip, health, stored, visit


def test_at_the_size_limit_health_goes_first_flips_stay_and_a_gap_names_what_went(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN, OutboxLimits(group_events=50, max_bytes=1_000_000)) as outbox:
        for number in range(6_000):
            outbox.append([flip(number) if number % 10 == 0 else health(number, padding=200)])
        outbox.flush()
        outbox.append([visit(1)])
        last_seq = outbox.flush()
        state = outbox.state()
    facts = stored(path)
    assert sum(isinstance(fact, Flip) for _, fact in facts) == 600
    gaps = [fact for _, fact in facts if isinstance(fact, Gap)]
    assert gaps and {gap.why for gap in gaps} == {OUTBOX_FULL}
    assert sum(gap.kinds.get("health", 0) for gap in gaps) == state.dropped > 1_000
    assert state.used_bytes < 1_300_000
    assert list(accounted(path)) == [(1, max(last_seq, facts[-1][0]))]


def test_at_the_size_limit_each_class_goes_only_after_all_of_the_class_below(tmp_path: Path) -> None:
    classes = [
        {"heatmap", "health", "occupancy"},
        {"flow", "dwell"},
        {"footfall", "visit"},
        {"flip", "tryon", "inventory", "attributes"},
        {"interaction", "store"},
    ]
    kinds = [kind for one in classes for kind in sorted(one)]
    assert sorted([*kinds, "gap"]) == sorted(DROP_RANK)
    db = database.connect(tmp_path / "outbox.db", "NORMAL")
    told = [kind for kind in ("gap", *reversed(kinds)) for _ in range(200)]
    rows = [(seq, DROP_RANK[kind], kind, 0.0, b"x" * 400) for seq, kind in enumerate(told, start=1)]
    db.execute("BEGIN")
    db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
    db.execute("COMMIT")
    dropped: list[int] = []
    while losses := make_room(db, database.used_bytes(db) - 1):
        ranges = [one for gap in losses.gaps(0.0) for one in gap.ranges]
        now = {told[seq - 1] for first, last in ranges for seq in range(first, last + 1)}
        dropped += [rank for rank, one in enumerate(classes) if one & now]
    assert dropped == sorted(dropped) and set(dropped) == {0, 1, 2, 3, 4}
    assert {kind for (kind,) in db.execute("SELECT DISTINCT kind FROM events")} == {"gap"}
    db.close()


def test_at_the_size_limit_delivered_events_go_before_any_other(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN, OutboxLimits(group_events=50, max_bytes=1_000_000)) as outbox:
        outbox.append([visit(number) for number in range(2_500)])
        outbox.flush()
        reader = OutboxReader(path)
        reader.note_delivered(SeqRanges([(1, 2_500)]))
        reader.close()
        outbox.append([health(number, padding=200) for number in range(1_500)])
        outbox.flush()
        assert outbox.state().dropped == 0
    assert sum(isinstance(fact, ProcessHealth) for _, fact in stored(path)) == 1_500


def test_while_the_disk_refuses_events_wait_and_then_arrive_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"
    monkeypatch.setattr("runtime.uplink.outbox.writer.RETRY_S", 0.02)
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(1)])
        outbox.flush()
        pages = outbox.disk.db.execute("PRAGMA page_count").fetchone()[0]
        outbox.disk.db.execute(f"PRAGMA max_page_count={pages}")
        for number in range(2, 600):
            outbox.append([visit(number)])
        outbox.flush(0.3)
        assert "full" in outbox.state().fault
        assert outbox.state().committed_seq < 599
        outbox.disk.db.execute("PRAGMA max_page_count=1000000")
        assert outbox.flush() == 599
        assert outbox.state().fault == ""
    assert list(accounted(path)) == [(1, 599)]


def test_what_the_writer_tries_with_counts_as_waiting_however_long_the_disk_takes_to_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.uplink.outbox.writer.RETRY_S", 0.0)
    monkeypatch.setattr("runtime.uplink.outbox.memory.MAX_WAITING", 1_500)
    monkeypatch.setattr("runtime.uplink.outbox.memory.DROPPED_AT_ONCE", 100)
    refusing, answered = threading.Semaphore(0), threading.Event()

    def refuse(_: HighWater, seq: int) -> None:
        refusing.release()
        assert answered.wait(10.0)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(HighWater, "cover", refuse)
        with Outbox(tmp_path / "outbox.db", ORIGIN) as outbox:
            outbox.append([visit(1)])
            answered.set()
            assert refusing.acquire(timeout=10.0) and refusing.acquire(timeout=10.0)
            answered.clear()
            assert refusing.acquire(timeout=10.0)
            for number in range(1, 4_000):
                outbox.append([flip(number) if number % 4 == 0 else health(number)])
                state = outbox.state()
                assert state.waiting <= 1_500
                assert state.waiting + state.dropped == state.appended_seq == number + 1
            disk.undo()
            answered.set()
            outbox.flush()
            outbox.append([visit(2)])
            last_seq = outbox.flush()
    facts = [fact for _, fact in stored(tmp_path / "outbox.db")]
    assert sum(isinstance(fact, Flip) for fact in facts) == 999
    assert accounted(tmp_path / "outbox.db").prefix_end() >= last_seq


def test_a_power_cut_amid_the_recovery_tells_only_of_losses_before_the_numbers_that_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.uplink.outbox.writer.RETRY_S", 0.02)
    monkeypatch.setattr("runtime.uplink.outbox.memory.MAX_WAITING", 1_000)
    monkeypatch.setattr("runtime.uplink.outbox.memory.DROPPED_AT_ONCE", 100)
    monkeypatch.setattr(database, "RESERVE", 0)
    path, left = tmp_path / "outbox.db", tmp_path / "left" / "outbox.db"
    left.parent.mkdir()

    def cut_the_power(seq: int) -> None:
        if not left.exists():
            for part in ("outbox.db", "outbox.db-wal", "outbox.db.seq"):
                shutil.copy(tmp_path / part, left.parent / part)

    with Outbox(path, ORIGIN, on_commit=cut_the_power) as outbox:
        pages = outbox.disk.db.execute("PRAGMA page_count").fetchone()[0]
        outbox.disk.db.execute(f"PRAGMA max_page_count={pages}")
        for number in range(3_000):
            outbox.append([flip(number) if number % 4 == 0 else health(number)])
        outbox.disk.db.execute("PRAGMA max_page_count=1000000")
        outbox.flush()
    with Outbox(left, ORIGIN) as outbox:
        assert outbox.state().committed_seq < 3_000
        outbox.append([visit(1)])
        last_seq = outbox.flush()
    assert list(accounted(left)) == [(1, last_seq)]
    named = [seq for _, gap in stored(left) if isinstance(gap, Gap) for seq in gap.ranges]
    assert max(last for _, last in named) < last_seq - 1
    assert not list(left.parent.glob("*.damaged-*"))


def test_losses_up_to_a_number_say_nothing_of_kinds_where_some_are_left_out() -> None:
    losses = Losses()
    losses.add(DISK_REFUSED, 3, 4, "health")
    losses.add(DISK_REFUSED, 8, 9, "health")
    losses.add(OUTBOX_FULL, 1, 2, "flow")
    told = losses.up_to(8).gaps(0.0)
    assert [(gap.why, gap.ranges, gap.kinds) for gap in told] == [
        (DISK_REFUSED, ((3, 4), (8, 8)), {}),
        (OUTBOX_FULL, ((1, 2),), {"flow": 2}),
    ]
    assert not losses.up_to(0)


def test_what_the_memory_cannot_hold_while_the_disk_refuses_is_named_in_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"
    monkeypatch.setattr("runtime.uplink.outbox.writer.RETRY_S", 0.02)
    monkeypatch.setattr("runtime.uplink.outbox.memory.MAX_WAITING", 1_500)
    monkeypatch.setattr("runtime.uplink.outbox.memory.DROPPED_AT_ONCE", 100)
    with Outbox(path, ORIGIN) as outbox:
        pages = outbox.disk.db.execute("PRAGMA page_count").fetchone()[0]
        outbox.disk.db.execute(f"PRAGMA max_page_count={pages}")
        for number in range(4_000):
            outbox.append([flip(number) if number % 4 == 0 else health(number)])
            state = outbox.state()
            assert state.waiting <= 1_500
            assert state.committed_seq + state.waiting + state.dropped == state.appended_seq == number + 1
        assert state.dropped >= 2_500
        outbox.disk.db.execute("PRAGMA max_page_count=1000000")
        outbox.flush()
        outbox.append([visit(1)])
        last_seq = outbox.flush()
    assert sum(isinstance(fact, Flip) for _, fact in stored(path)) == 1_000
    assert accounted(path).prefix_end() >= last_seq
