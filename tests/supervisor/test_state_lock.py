"""One daemon on a state folder; what cannot be used is tried again; the daemon stays up and says it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.supervisor.state.folder import NAME
from runtime.supervisor.state.lock import RETRY_S, StateLock, StateTakenError
from tests.supervisor.bare_daemon import BareDaemon


def hold_of(folder: Path) -> StateLock:
    return StateLock(folder, folder / "outbox.db")


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


def test_a_folder_that_is_removed_while_in_use_is_made_and_locked_again(tmp_path: Path) -> None:
    hold = hold_of(tmp_path / "state")
    hold.prepare(0.0)
    shutil.rmtree(tmp_path / "state")
    hold.prepare(RETRY_S)
    assert hold.fault == "" and (tmp_path / "state" / NAME).exists()
    with pytest.raises(StateTakenError):
        hold_of(tmp_path / "state").prepare(0.0)


def test_a_newer_programs_folder_is_withheld(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"format": 99, "written_by": "7.2"}')
    hold = hold_of(tmp_path)
    hold.prepare(0.0)
    assert hold.withheld and "written by tagsight 7.2" in hold.fault


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[BareDaemon]:
    one = BareDaemon(tmp_path)
    try:
        yield one
    finally:
        one.end()


def test_a_newer_folder_keeps_the_daemon_up_and_waiting_until_it_is_gone(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    mark = tmp_path / "state" / NAME
    mark.write_text('{"format": 99, "written_by": "7.2"}')
    daemon = BareDaemon(tmp_path)
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


def test_a_second_daemon_ends_in_one_sentence_and_the_files_are_nobody_elses(daemon: BareDaemon) -> None:
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


def test_too_few_descriptors_are_one_sentence(daemon: BareDaemon) -> None:
    daemon.end()
    before = daemon.says()
    assert daemon.launch(limit_files=32).wait(60.0) == 1
    said = daemon.says()[len(before) :]
    assert re.fullmatch(r"tagsight: only 32 files may be open at once .* need \d+: raise it .*\n", said)
