"""The outbox: what append promised is on disk, numbered without a gap, whatever happens."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from runtime.store.facts import Fact, Flip, ProcessHealth, Visit
from runtime.uplink import outbox_file
from runtime.uplink.errors import OutboxError
from runtime.uplink.events import DROP_RANK, Gap, Origin, open_event
from runtime.uplink.losses import OUTBOX_FULL
from runtime.uplink.outbox import Outbox, OutboxLimits
from runtime.uplink.outbox_file import HighWater
from runtime.uplink.outbox_reader import OutboxReader
from runtime.uplink.outbox_repair import DAMAGED_KEPT, suspicion
from runtime.uplink.outbox_room import make_room
from runtime.uplink.ranges import SeqRanges

ORIGIN = Origin("plaza", "box-1")


def visit(number: int) -> Visit:
    return Visit(
        key=f"visit/{number}",
        time_s=1_700_000_000.0 + number,
        visitor=f"v{number}",
        direction="in",
        entrance="door",
    )


def flip(number: int) -> Flip:
    return Flip(
        key=f"flip/{number}",
        time_s=1_700_000_000.0,
        reader="r",
        antenna=1,
        epc=f"{number:024x}",
        sku=None,
        fixture=None,
        start_s=0.0,
        end_s=1.0,
        score=0.5,
    )


def health(number: int, padding: int = 0) -> ProcessHealth:
    return ProcessHealth(
        key=f"health/{number}",
        time_s=1_700_000_000.0,
        process="vision",
        state="ok",
        progress_s=0.0,
        detail="x" * padding,
    )


def stored(path: Path) -> list[tuple[int, Fact]]:
    reader = OutboxReader(path)
    events = [open_event(row.body) for row in reader.rows(1, limit=1_000_000, max_bytes=1 << 40)]
    reader.close()
    return [(event.envelope.seq, event.fact) for event in events]


def accounted(path: Path) -> SeqRanges:
    """Every seq that is in the outbox or named by a gap in it."""
    found = SeqRanges()
    for seq, fact in stored(path):
        found.add(seq)
        if isinstance(fact, Gap):
            found.update(fact.ranges)
    return found


def test_what_was_flushed_is_read_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        assert outbox.append([visit(1), flip(2)]) == 2
        assert outbox.append([health(3)]) == 3
        assert outbox.flush() == 3
        assert stored(path) == [(1, visit(1)), (2, flip(2)), (3, health(3))]


def test_a_group_goes_to_the_disk_by_itself_after_its_delay(tmp_path: Path) -> None:
    heard = threading.Event()
    with Outbox(
        tmp_path / "o.db", ORIGIN, OutboxLimits(group_delay_s=0.01), on_commit=lambda seq: heard.set()
    ) as outbox:
        outbox.append([visit(1)])
        assert heard.wait(5.0)
        assert outbox.state().committed_seq == 1


def test_with_groups_of_one_append_returns_once_the_event_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN, OutboxLimits(group_events=1, group_delay_s=60.0)) as outbox:
        for number in (1, 2, 3):
            outbox.append([visit(number)])
            assert [seq for seq, _ in stored(path)] == list(range(1, number + 1))


def test_numbering_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for start in (1, 4, 7):
        with Outbox(path, ORIGIN) as outbox:
            outbox.append([visit(start), visit(start + 1), visit(start + 2)])
    assert [seq for seq, _ in stored(path)] == list(range(1, 10))


def test_numbering_goes_on_after_everything_was_delivered_and_purged(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(1), visit(2)])
    reader = OutboxReader(path)
    reader.note_delivered(SeqRanges([(1, 2)]))
    reader.close()
    with Outbox(path, ORIGIN, OutboxLimits(keep_s=0.0), clock=lambda: 1_800_000_000.0) as outbox:
        outbox.append([visit(3)])
        outbox.flush()
    with Outbox(path, ORIGIN, OutboxLimits(keep_s=0.0), clock=lambda: 1_800_000_000.0):
        pass
    assert [seq for seq, _ in stored(path)] == [3]


def test_delivered_events_stay_for_replay_until_their_time_is_up(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(1), visit(100)])
    reader = OutboxReader(path)
    reader.note_delivered(SeqRanges([(1, 2)]))
    with Outbox(path, ORIGIN, OutboxLimits(keep_s=50.0), clock=lambda: visit(60).time_s):
        pass
    assert [row.seq for row in reader.rows(1)] == [2]
    reader.close()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o.db", ORIGIN), pytest.raises(OutboxError, match="another process writes"):
        Outbox(tmp_path / "o.db", ORIGIN)


def test_a_closed_outbox_takes_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.db", ORIGIN)
    outbox.close()
    with pytest.raises(OutboxError, match="closed"):
        outbox.append([visit(1)])


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
        {"heatmap", "health"},
        {"flow", "dwell"},
        {"footfall", "visit"},
        {"flip", "tryon"},
        {"interaction"},
    ]
    kinds = [kind for one in classes for kind in sorted(one)]
    assert sorted([*kinds, "gap"]) == sorted(DROP_RANK)
    db = outbox_file.connect(tmp_path / "outbox.db", "NORMAL")
    told = [kind for kind in ("gap", *reversed(kinds)) for _ in range(200)]
    rows = [(seq, DROP_RANK[kind], kind, 0.0, b"x" * 400) for seq, kind in enumerate(told, start=1)]
    db.execute("BEGIN")
    db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
    db.execute("COMMIT")
    dropped: list[int] = []
    while losses := make_room(db, outbox_file.used_bytes(db) - 1):
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
    monkeypatch.setattr("runtime.uplink.outbox.RETRY_S", 0.02)
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(1)])
        outbox.flush()
        pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
        outbox._db.execute(f"PRAGMA max_page_count={pages}")
        for number in range(2, 600):
            outbox.append([visit(number)])
        outbox.flush(0.3)
        assert "full" in outbox.state().fault
        assert outbox.state().committed_seq < 599
        outbox._db.execute("PRAGMA max_page_count=1000000")
        assert outbox.flush() == 599
        assert outbox.state().fault == ""
    assert list(accounted(path)) == [(1, 599)]


def test_what_the_memory_cannot_hold_while_the_disk_refuses_is_named_in_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"
    monkeypatch.setattr("runtime.uplink.outbox.RETRY_S", 0.02)
    monkeypatch.setattr("runtime.uplink.outbox.MAX_WAITING", 1_500)
    monkeypatch.setattr("runtime.uplink.outbox.DROPPED_AT_ONCE", 100)
    with Outbox(path, ORIGIN) as outbox:
        pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
        outbox._db.execute(f"PRAGMA max_page_count={pages}")
        for number in range(4_000):
            outbox.append([flip(number) if number % 4 == 0 else health(number)])
        assert outbox.state().dropped >= 2_000
        outbox._db.execute("PRAGMA max_page_count=1000000")
        outbox.flush()
        outbox.append([visit(1)])
        last_seq = outbox.flush()
    assert sum(isinstance(fact, Flip) for _, fact in stored(path)) == 1_000
    assert accounted(path).prefix_end() >= last_seq


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
    outbox_file.write_note(db, name, value)
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
    assert int(number.read_text()) >= 2
    number.write_bytes(b"-7\n")
    path.write_bytes(b"no database " * 500)
    with pytest.raises(OutboxError, match=r"holds no number, and the outbox is damaged .*greater than any"):
        Outbox(path, ORIGIN)


def test_an_outbox_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(OutboxError, match="newer tagsight"):
        Outbox(path, ORIGIN)
    assert path.exists()


def test_a_path_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="give a path that the service may write"):
        Outbox(tmp_path / "file" / "outbox.db", ORIGIN)


def test_damage_met_while_running_is_set_aside_and_work_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(2_000)])
        outbox.flush()
        outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        outbox._db.execute("PRAGMA cache_size=1")
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
    monkeypatch.setattr("runtime.uplink.outbox.HOUSEKEEPING_S", 0.05)
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN) as outbox:
        outbox.append([visit(number) for number in range(2_000)])
        outbox.flush()
        outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(4096 * 9)
            file.write(b"\xff" * 4096)
        suspicion(path).touch()
        for _ in range(500):
            if list(tmp_path.glob("outbox.db.damaged-*")):
                break
            time.sleep(0.01)
        outbox.append([visit(1)])
        outbox.flush()
    assert list(accounted(path)) == [(1, stored(path)[-1][0])]
    assert not suspicion(path).exists()


def test_a_cut_before_the_first_commit_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN):
        pass
    HighWater(path).cover(1)
    with Outbox(path, ORIGIN) as outbox:
        assert outbox.append([visit(1)]) == 1


def test_both_ends_can_create_the_file_at_the_same_time(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / f"outbox{number}.db"
        failures: list[BaseException] = []
        gate = threading.Barrier(3)

        def create(
            open_end: Callable[[], object],
            gate: threading.Barrier = gate,
            failures: list[BaseException] = failures,
        ) -> None:
            gate.wait()
            try:
                open_end().close()  # type: ignore[attr-defined]
            except BaseException as error:
                failures.append(error)

        ends = [partial(Outbox, path, ORIGIN), partial(OutboxReader, path), partial(OutboxReader, path)]
        threads = [threading.Thread(target=create, args=(end,)) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert not list(tmp_path.glob("*.damaged-*"))


def test_a_clock_that_steps_neither_reorders_nor_repeats(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    now_s = 1_700_000_000.0
    with Outbox(path, ORIGIN, clock=lambda: now_s) as outbox:
        for step_s in (0.0, 3600.0, -7200.0):
            now_s += step_s
            outbox.append([visit(number) for number in range(100)])
        outbox.flush()
    reader = OutboxReader(path)
    bodies = [open_event(row.body).envelope for row in reader.rows(1, limit=1000)]
    reader.close()
    assert [body.seq for body in bodies] == list(range(1, 301))
    assert len({body.id for body in bodies}) == 300


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
