"""What doctor says of the state folder and the outbox in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from contract.envelope import Origin
from runtime.config import Floor, Site, StoreConfig
from runtime.doctor import state
from runtime.supervisor.state.folder import NAME, StateError
from runtime.supervisor.state.lock import StateLock
from runtime.uplink.outbox.writer import Outbox


@pytest.fixture
def store(tmp_path: Path) -> StoreConfig:
    return StoreConfig(
        site=Site(name="s", device="d"),
        floor=Floor(extent_m=(0, 0, 1, 1)),
        state_dir=tmp_path / "state",
    )


def test_a_folder_that_is_not_there_yet_is_no_fault(store: StoreConfig) -> None:
    assert state.folder(store).verdict == "ok"
    assert not store.state_dir.exists()


def test_it_says_whether_a_daemon_runs_and_disturbs_none(store: StoreConfig) -> None:
    hold = StateLock(store.state_dir, store.outbox_path())
    hold.prepare(0.0)
    Outbox(store.outbox_path(), Origin("s", "d")).close()
    assert "a daemon runs on it; the outbox holds 0 events" in state.folder(store).found
    hold.release()
    assert "no daemon runs on it" in state.folder(store).found


def test_a_newer_folder_is_named_with_the_version(store: StoreConfig) -> None:
    store.state_dir.mkdir()
    (store.state_dir / NAME).write_text('{"format": 99, "written_by": "7.2"}')
    with pytest.raises(StateError, match=r"written by tagsight 7\.2"):
        state.folder(store)


def test_a_newer_outbox_is_named_and_left_as_it_is(store: StoreConfig) -> None:
    Outbox(store.outbox_path(), Origin("s", "d")).close()
    db = sqlite3.connect(store.outbox_path())
    db.execute("PRAGMA user_version=99")
    db.close()
    before = store.outbox_path().read_bytes()
    finding = state.folder(store)
    assert finding.verdict == "missing"
    assert "outbox version 99" in finding.found
    assert store.outbox_path().read_bytes() == before


def test_an_outbox_that_is_no_file_is_named(store: StoreConfig) -> None:
    store.outbox_path().mkdir(parents=True)
    assert state.folder(store).verdict == "missing"
