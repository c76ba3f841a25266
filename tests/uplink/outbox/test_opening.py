"""Facts are kept from the first moment, whether or not the disk takes an outbox."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.facts import Visit
from contract.gaps import Gap
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox import opening
from runtime.uplink.outbox.memory import DROPPED_AT_ONCE, MAX_WAITING
from runtime.uplink.outbox.opening import OpeningOutbox
from runtime.uplink.outbox.writer import Outbox
from tests.uplink.facts import ORIGIN, accounted, health, stored, visit

WaitUntil = Callable[[Callable[[], object], float], None]


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """A place where no outbox can be: its folder's name is taken by a file."""
    (tmp_path / "state").touch()
    return tmp_path / "state" / "outbox.db"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(opening, "LONGEST_RETRY_S", 0.1)


def test_an_outbox_that_opens_is_open_at_once(tmp_path: Path) -> None:
    box = OpeningOutbox(lambda: Outbox(tmp_path / "outbox.db", ORIGIN))
    box.append([visit(1)])
    assert box.opened and box.flush() == 1
    box.close()
    assert [seq for seq, _ in stored(tmp_path / "outbox.db")] == [1]


def test_what_came_before_it_opens_is_numbered_in_order_and_nothing_is_missing(
    blocked: Path, wait_until: WaitUntil
) -> None:
    box = OpeningOutbox(lambda: Outbox(blocked, ORIGIN))
    box.append([visit(number) for number in range(1, 501)])
    assert not box.opened
    assert box.state().waiting == 500
    assert "outbox.db: the outbox cannot be opened (File exists)" in box.state().fault
    blocked.parent.unlink()
    wait_until(lambda: box.opened, 10.0)
    box.append([visit(number) for number in range(501, 601)])
    wait_until(lambda: box.flush(1.0) == 600, 10.0)
    assert box.state().fault == "" and box.state().waiting == 0
    box.close()
    facts = stored(blocked)
    assert [seq for seq, _ in facts] == list(range(1, 601))
    assert [fact.visitor for _, fact in facts if isinstance(fact, Visit)] == [f"v{n}" for n in range(1, 601)]


def test_what_is_said_while_the_rest_is_handed_over_comes_after_it(blocked: Path) -> None:
    box = OpeningOutbox(lambda: Outbox(blocked, ORIGIN))
    box.append([visit(number) for number in range(1, 3001)])
    more = itertools.count(3001)
    stop = threading.Event()

    def talk() -> None:
        while not stop.is_set():
            box.append([visit(next(more))])
            time.sleep(0.0005)

    talker = threading.Thread(target=talk)
    talker.start()
    blocked.parent.unlink()
    time.sleep(1.0)
    stop.set()
    talker.join(10.0)
    box.close()
    said = [fact.visitor for _, fact in stored(blocked) if isinstance(fact, Visit)]
    assert said == [f"v{number}" for number in range(1, next(more))]


def test_what_the_memory_cannot_hold_is_named_by_kind_in_a_gap(blocked: Path, wait_until: WaitUntil) -> None:
    box = OpeningOutbox(lambda: Outbox(blocked, ORIGIN))
    for first in range(0, MAX_WAITING, 100):
        box.append([health(first)])
        box.append([visit(number) for number in range(first, first + 100)])
    state = box.state()
    assert state.waiting <= MAX_WAITING and state.waiting + state.dropped == MAX_WAITING + 200
    assert state.dropped == DROPPED_AT_ONCE
    blocked.parent.unlink()
    wait_until(lambda: box.opened and not box.state().waiting, 20.0)
    box.close()
    gaps = [fact for _, fact in stored(blocked) if isinstance(fact, Gap)]
    lost = sum((Counter(gap.kinds) for gap in gaps), Counter())
    assert lost["health"] >= 190, "the lowest rank goes first"
    assert lost.total() == DROPPED_AT_ONCE
    account = accounted(blocked)
    assert account.count() == account.last() == MAX_WAITING + 200 + len(gaps)


def test_a_newer_outbox_is_left_alone_and_waited_for(tmp_path: Path, wait_until: WaitUntil) -> None:
    path = tmp_path / "outbox.db"
    Outbox(path, ORIGIN).close()
    db = sqlite3.connect(path, isolation_level=None)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.execute("PRAGMA user_version=99")
    box = OpeningOutbox(lambda: Outbox(path, ORIGIN))
    box.append([visit(1)])
    assert "written by a newer tagsight" in box.state().fault
    db.execute(f"PRAGMA user_version={version}")
    db.close()
    wait_until(lambda: box.opened, 10.0)
    box.close()
    assert [seq for seq, _ in stored(path)] == [1]


def test_it_is_tried_once_more_at_the_end_and_what_is_lost_is_said(
    blocked: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(opening, "FIRST_RETRY_S", 60.0)
    first, second = (OpeningOutbox(lambda: Outbox(blocked, ORIGIN)) for _ in range(2))
    first.append([visit(1), visit(2)])
    second.append([visit(3)])
    first.close()
    assert "2 events are lost with this process" in caplog.text
    with pytest.raises(OutboxError):
        first.append([visit(4)])
    blocked.parent.unlink()
    second.close()
    assert [fact.visitor for _, fact in stored(blocked) if isinstance(fact, Visit)] == ["v3"]


@pytest.mark.skipif(os.getuid() != 0, reason="mounting takes root")
def test_a_disk_that_is_full_from_the_start_takes_all_once_there_is_room(
    tmp_path: Path, wait_until: WaitUntil, tmpfs: Callable[[Path, str], None]
) -> None:
    tmpfs(tmp_path, "size=128k")
    filling = tmp_path / "filling"
    with filling.open("wb") as file, pytest.raises(OSError, match="No space left"):
        while True:
            os.write(file.fileno(), bytes(4096))
    box = OpeningOutbox(lambda: Outbox(tmp_path / "outbox.db", ORIGIN))
    box.append([visit(number) for number in range(1, 51)])
    assert not box.opened and box.state().fault
    filling.unlink()
    wait_until(lambda: box.opened and not box.state().waiting, 10.0)
    box.close()
    assert [seq for seq, _ in stored(tmp_path / "outbox.db")] == list(range(1, 51))
