"""The outbox: what append promised is on disk, numbered without a gap, and nobody else writes it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from contract.envelope import open_event
from contract.ranges import SeqRanges
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox.database import HighWater
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.writer import Outbox
from tests.uplink.facts import ORIGIN, flip, health, stored, visit


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


def test_a_cut_before_the_first_commit_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, ORIGIN):
        pass
    HighWater(path).cover(1)
    with Outbox(path, ORIGIN) as outbox:
        assert outbox.append([visit(1)]) == 1


def test_readers_may_come_while_the_file_is_being_made(tmp_path: Path) -> None:
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
            deadline_s = time.monotonic() + 10.0
            try:
                while True:
                    try:
                        open_end().close()  # type: ignore[attr-defined]
                    except OutboxError as error:
                        if "has not begun" not in str(error) or time.monotonic() > deadline_s:
                            raise
                    else:
                        return
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
