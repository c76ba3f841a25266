"""A box that cannot keep what it counts stays up, says so, is not ready, and goes on when it can."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contract.envelope import Origin, open_event
from contract.facts import ProcessHealth
from runtime.uplink.outbox.reader import OutboxReader
from runtime.uplink.outbox.writer import Outbox
from tests.supervisor.bare_daemon import PATH, BareDaemon

SOMEBODY = 100_000 + os.getpid()
"""A user of this run alone: the kernel counts the processes of a user, not of a test."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A state folder with a file system of its own, 1 MB."""
    state = tmp_path / "state"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(state)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield state
    subprocess.run(["umount", "-l", str(state)], check=True)


def remount(state: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(state)], check=True)


def facts(state: Path) -> list[tuple[int, object]]:
    reader = OutboxReader(state / "outbox.db")
    events = [open_event(row.body) for row in reader.rows(1, limit=100_000, max_bytes=2**40)]
    reader.close()
    return [(event.envelope.seq, event.fact) for event in events]


def expect_degraded(daemon: BareDaemon, why: str) -> None:
    """It says why, to systemd too, and is not ready."""
    daemon.wait_for(lambda: "STATUS=degraded: " in daemon.told() and why in daemon.told())
    time.sleep(1.5)
    assert "READY=1" not in daemon.told()
    assert daemon.process.poll() is None


def expect_all_since(daemon: BareDaemon, begun_s: float) -> None:
    """It becomes ready, and has kept what it counted from its beginning on."""
    daemon.wait_for(lambda: "READY=1" in daemon.told())
    daemon.wait_for(lambda: len(facts(daemon.state)) > 5)
    assert daemon.stop() == 0
    kept = facts(daemon.state)
    assert [seq for seq, _ in kept] == list(range(1, len(kept) + 1))
    first_s = min(fact.time_s for _, fact in kept if isinstance(fact, ProcessHealth))
    assert first_s < begun_s + 1.0, "the events of the time without a disk are there"
    assert "Traceback" not in daemon.says()
    assert "(None)" not in daemon.says()


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_takes_nothing_at_the_start(tmp_path: Path, small_disk: Path, fault: str) -> None:
    filling = small_disk / "filling"
    if fault == "full":
        with filling.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4096))
    else:
        remount(small_disk, "ro")
    daemon = BareDaemon(tmp_path)
    try:
        expect_degraded(daemon, "No space left on device" if fault == "full" else "Read-only file system")
        begun_s = time.time()
        if fault == "full":
            filling.unlink()
        else:
            remount(small_disk, "rw")
        expect_all_since(daemon, begun_s)
    finally:
        daemon.end()


def test_an_outbox_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "state" / "outbox.db"
    Outbox(path, Origin("s", "d")).close()
    with closing(sqlite3.connect(path)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute("PRAGMA user_version=99")
    daemon = BareDaemon(tmp_path)
    try:
        expect_degraded(daemon, "written by a newer tagsight (outbox version 99")
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (99,), "left as it is"
            db.execute(f"PRAGMA user_version={version}")
        expect_all_since(daemon, time.time())
    finally:
        daemon.end()


def test_an_outbox_that_is_removed_under_the_daemon(tmp_path: Path) -> None:
    daemon = BareDaemon(tmp_path)
    try:
        daemon.wait_for(lambda: "READY=1" in daemon.told())
        last = len(facts(daemon.state))
        for file in daemon.state.glob("outbox.db*"):
            file.unlink()
        daemon.wait_for(lambda: "put back, nothing is missing" in daemon.says())
        daemon.wait_for(lambda: len(facts(daemon.state)) > last)
        assert daemon.stop() == 0
    finally:
        daemon.end()
    kept = [seq for seq, _ in facts(daemon.state)]
    assert kept == list(range(1, len(kept) + 1)) and len(kept) > last
    assert daemon.says().count("started, pid") == 2, "no process had to end for it"


@pytest.fixture
def as_somebody() -> list[str]:
    """How to run a Python of this version, with all that this one has, as a user without any rights."""
    user = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", "env"]
    for python in (sys.executable, "/usr/bin/python3"):
        same = f"import sys, runtime.cli; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
        environment = {**os.environ, "PYTHONPATH": PATH}
        command = [*user, python, "-c", same]
        try:
            done = subprocess.run(command, env=environment, cwd="/", capture_output=True, check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0:
            return [*user, "HOME=/nonexistent", "PYTHONDONTWRITEBYTECODE=1", python]
    pytest.skip("no other user may run this Python and this program")


@pytest.fixture
def folder_of_somebody() -> Iterator[Path]:
    """A folder that another user can reach: pytest closes its own to others whenever a run of it begins."""
    with tempfile.TemporaryDirectory(prefix="tagsight-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("processes", "said"),
    [
        (2, "cannot start: Resource temporarily unavailable (too many processes"),
        (3, "cannot go on: too many processes and threads: see TasksMax and ulimit -u"),
    ],
)
def test_a_limit_of_processes_is_said_and_the_daemon_stays(
    folder_of_somebody: Path, as_somebody: list[str], processes: int, said: str
) -> None:
    daemon = BareDaemon(folder_of_somebody, start=False)
    for place in (folder_of_somebody, *folder_of_somebody.rglob("*")):
        os.chown(place, SOMEBODY, SOMEBODY)
    limit = ["prlimit", f"--nproc={processes}:{processes}"]
    daemon.process = daemon.launch(command=[*limit, *as_somebody])
    try:
        daemon.wait_for(lambda: said in daemon.says())
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.says()
    finally:
        daemon.end()
