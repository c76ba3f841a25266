"""One daemon on a state folder; what cannot be used is tried again; the daemon stays up and says it."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.supervisor.statefolder import NAME
from runtime.supervisor.statehold import RETRY_S, StateHold, StateTakenError

STORE = """
site: {name: s, device: d}
floor: {extent_m: [0, 0, 1, 1]}
uplink: {host: 127.0.0.1, port: 9}
intervals: {health_s: 1}
"""


def hold_of(folder: Path) -> StateHold:
    return StateHold(folder, folder / "outbox.db")


def test_whoever_comes_second_is_told_so_and_may_have_it_later(tmp_path: Path) -> None:
    first, second = hold_of(tmp_path / "state"), hold_of(tmp_path / "state")
    first.prepare(0.0)
    assert first.fault == ""
    with pytest.raises(StateTakenError, match="another tagsight daemon runs on it"):
        second.prepare(0.0)
    first.release()
    second.prepare(RETRY_S)
    assert second.fault == ""


def test_a_folder_that_cannot_be_made_yet_is_tried_again_and_taken_then(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    hold = hold_of(tmp_path / "state")
    hold.prepare(0.0)
    assert "state_dir" in hold.fault and not hold.withheld
    (tmp_path / "state").unlink()
    hold.prepare(RETRY_S / 2)
    assert hold.fault, "not due yet"
    hold.prepare(RETRY_S)
    assert hold.fault == ""
    with pytest.raises(StateTakenError):
        hold_of(tmp_path / "state").prepare(0.0)


def test_a_newer_programs_folder_is_withheld(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"format": 99, "written_by": "7.2"}')
    hold = hold_of(tmp_path)
    hold.prepare(0.0)
    assert hold.withheld and "written by tagsight 7.2" in hold.fault


class Daemon:
    """`tagsight run` on a store without cameras, as systemd starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        (folder / "store.yaml").write_text(STORE)
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._systemd.bind(str(folder / "notify"))
        self._systemd.setblocking(False)
        self._told = ""
        self.start()

    def start(self) -> None:
        self.process = self.launch()

    def launch(self, limit_files: int | None = None) -> subprocess.Popen[bytes]:
        """One more daemon on the same configuration."""

        def limit() -> None:
            if limit_files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit_files, limit_files))

        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "runtime", "run", "--config", str(self.folder / "store.yaml")],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")},
                preexec_fn=limit,  # noqa: PLW1509 - one thread only
                umask=0o000,
            )

    def says(self) -> str:
        return (self.folder / "log").read_text()

    def told(self) -> str:
        """What systemd was told."""
        while True:
            try:
                self._told += self._systemd.recv(4096).decode() + "\n"
            except BlockingIOError:
                return self._told

    def wait_for(self, done: Callable[[], object], limit_s: float = 60.0) -> None:
        deadline_s = time.monotonic() + limit_s
        while not done():
            assert self.process.poll() is None, self.says()
            assert time.monotonic() < deadline_s, self.says()
            self.told()
            time.sleep(0.1)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20.0)

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    one = Daemon(tmp_path)
    try:
        yield one
    finally:
        one.end()


def test_a_newer_folder_keeps_the_daemon_up_and_waiting_until_it_is_gone(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    mark = tmp_path / "state" / NAME
    mark.write_text('{"format": 99, "written_by": "7.2"}')
    daemon = Daemon(tmp_path)
    try:
        daemon.wait_for(lambda: "STATUS=degraded: " in daemon.told())
        time.sleep(1.0)
        assert "written by tagsight 7.2 in format 99" in daemon.told()
        assert "READY" not in daemon.told()
        assert "started, pid" not in daemon.says()
        assert [file.name for file in (tmp_path / "state").iterdir()] == [NAME]
        mark.unlink()
        daemon.wait_for(lambda: "READY=1" in daemon.told())
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.says()
    finally:
        daemon.end()


def test_a_second_daemon_ends_in_one_sentence_and_the_files_are_nobody_elses(daemon: Daemon) -> None:
    daemon.wait_for(lambda: "READY=1" in daemon.told())
    before = daemon.says()
    assert daemon.launch().wait(60.0) == 1
    said = daemon.says()[len(before) :]
    (line,) = [line for line in said.splitlines() if line.startswith("tagsight: ")]
    assert "Traceback" not in said
    assert re.fullmatch(r"tagsight: state_dir \S+: another tagsight daemon runs on it; .*", line)
    for file in daemon.state.rglob("*"):
        assert file.stat().st_mode & 0o007 == 0, file
    os.kill(daemon.process.pid, signal.SIGKILL)
    daemon.process.wait()
    daemon.start()
    daemon.wait_for(lambda: daemon.told().count("READY=1") == 2)
    assert daemon.stop() == 0


def test_too_few_descriptors_are_one_sentence(daemon: Daemon) -> None:
    daemon.end()
    before = daemon.says()
    assert daemon.launch(limit_files=32).wait(60.0) == 1
    said = daemon.says()[len(before) :]
    assert re.fullmatch(r"tagsight: only 32 files may be open at once .* need \d+: raise it .*\n", said)
