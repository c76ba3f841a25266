"""An outbox whose files are removed or swapped while it is written: all of it is put back."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox import watch, writer
from runtime.uplink.outbox.limits import OutboxLimits
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.writer import Outbox
from tests.uplink.facts import ORIGIN, accounted, stored, visit

WaitUntil = Callable[[Callable[[], object], float], None]
PARTS = ("", "-wal", "-shm", ".seq", ".lock")


def part(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def box_at(path: Path) -> Outbox:
    return Outbox(path, ORIGIN, OutboxLimits(group_delay_s=0.005))


def stream_of(path: Path) -> str:
    reader = OutboxReader(path)
    try:
        return reader.identity().stream
    finally:
        reader.close()


@pytest.mark.parametrize(
    "removed",
    [*([suffix] for suffix in PARTS), ["-wal", "-shm"], ["", "-wal", "-shm"], list(PARTS)],
    ids=lambda removed: "+".join(removed) or "database",
)
def test_what_is_removed_is_put_back_and_the_numbers_go_on(
    tmp_path: Path, wait_until: WaitUntil, removed: list[str]
) -> None:
    path = tmp_path / "outbox.db"
    box = box_at(path)
    box.append([visit(number) for number in range(1, 301)])
    box.flush()
    stream = box.stream
    for suffix in removed:
        part(path, suffix).unlink()
    box.append([visit(number) for number in range(301, 401)])
    wait_until(lambda: all(part(path, suffix).exists() for suffix in PARTS), 10.0)
    box.append([visit(number) for number in range(401, 501)])
    assert box.flush() == 500
    assert [seq for seq, _ in stored(path)] == list(range(1, 501)), "another connection sees all"
    box.close()
    assert [seq for seq, _ in stored(path)] == list(range(1, 501))
    again = box_at(path)
    assert again.append([visit(501)]) == 501
    again.close()
    assert stream_of(path) == stream


@pytest.mark.parametrize("by", ["older image", "empty file", "directory"])
def test_what_is_swapped_gives_way_to_what_was_written_and_is_kept_aside(
    tmp_path: Path, wait_until: WaitUntil, by: str
) -> None:
    path, image = tmp_path / "outbox.db", tmp_path / "image.db"
    box = box_at(path)
    box.append([visit(number) for number in range(1, 101)])
    box.flush()
    if by == "older image":
        db = sqlite3.connect(path)
        db.execute("VACUUM INTO ?", (str(image),))
        db.close()
    elif by == "directory":
        image.mkdir()
    else:
        image.touch()
    box.append([visit(number) for number in range(101, 301)])
    box.flush()
    path.unlink()
    shutil.move(image, path)
    box.append([visit(number) for number in range(301, 401)])
    wait_until(lambda: list(tmp_path.glob("outbox.db.damaged-*")), 10.0)
    box.close()
    assert [seq for seq, _ in stored(path)] == list(range(1, 401))


def test_a_reader_goes_over_to_the_file_that_was_put_back_and_takes_no_journal_along(
    tmp_path: Path, wait_until: WaitUntil
) -> None:
    path = tmp_path / "outbox.db"
    box = box_at(path)
    box.append([visit(1)])
    box.flush()
    reader = OutboxReader(path)
    assert reader.last_seq() == 1
    for suffix in ("", "-wal", "-shm"):
        part(path, suffix).unlink()
    assert reader.is_replaced()
    wait_until(part(path, "-wal").exists, 10.0)
    reader.close()
    box.append([visit(2)])
    box.flush()
    assert part(path, "-wal").exists(), "a connection that closes removes the journal by its name"
    assert [seq for seq, _ in stored(path)] == [1, 2]
    box.close()


def test_a_reader_makes_no_outbox(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="no outbox there; its writer has not begun"):
        OutboxReader(tmp_path / "outbox.db")
    assert list(tmp_path.iterdir()) == []


def test_while_it_cannot_be_put_back_events_wait_in_memory(
    tmp_path: Path, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state" / "outbox.db"
    box = box_at(path)
    box.append([visit(number) for number in range(1, 101)])
    box.flush()
    shutil.rmtree(path.parent)
    path.parent.touch()
    wait_until(lambda: box.state().fault, 10.0)
    box.append([visit(number) for number in range(101, 201)])
    assert box.state().committed_seq == 100
    path.parent.unlink()
    wait_until(lambda: box.state().committed_seq == 200, 10.0)
    assert box.state().fault == ""
    shutil.rmtree(path.parent)
    path.parent.touch()
    wait_until(lambda: box.state().fault, 10.0)
    path.parent.unlink()
    wait_until(lambda: not box.state().fault, 10.0)
    box.close()
    assert [seq for seq, _ in stored(path)] == list(range(1, 201))


def test_what_is_removed_in_the_last_moment_is_there_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOOK_S", 60.0)
    path = tmp_path / "outbox.db"
    box = box_at(path)
    box.append([visit(number) for number in range(1, 101)])
    box.flush()
    for suffix in PARTS:
        part(path, suffix).unlink()
    box.append([visit(101)])
    box.close()
    assert [seq for seq, _ in stored(path)] == list(range(1, 102))


def test_a_copy_that_was_whole_when_its_writer_was_killed_is_the_outbox(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    box = box_at(path)
    box.append([visit(number) for number in range(1, 101)])
    box.flush()
    watch.copy_out(box.disk.db, path)
    box.close()
    path.write_bytes(b"not the outbox")
    again = box_at(path)
    again.append([visit(101)])
    again.close()
    assert accounted(path).count() == 101
    assert not part(path, ".restored").exists()
