"""The consumer's database opens while somebody else has it for themselves."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.ingest.consumer import opening
from fleet.ingest.consumer.store import CloudStore


def test_a_file_that_somebody_holds_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "cloud.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE theirs (a)")
    other.execute("BEGIN EXCLUSIVE")
    let_go = threading.Timer(6.5, other.execute, ("COMMIT",))
    let_go.start()
    began_s = time.monotonic()
    store = CloudStore(path)
    assert time.monotonic() - began_s > 5.0, "longer than SQLite itself waits"
    store.close()
    let_go.join()
    other.close()


def test_one_that_is_held_for_good_is_given_up_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "OPEN_TIMEOUT_S", 0.1)
    path = tmp_path / "cloud.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE theirs (a)")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(FleetError, match=r"cannot be used to store events \(database is locked\)"):
        CloudStore(path)
    other.close()
