"""The state folder's version: forward, never back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from runtime.supervisor import statefolder
from runtime.supervisor.statefolder import FORMAT, NAME, Mark, StateError, prepare_state_folder


def mark_of(folder: Path) -> Mark:
    return msgspec.json.decode((folder / NAME).read_bytes(), type=Mark)


def test_a_new_folder_is_made_and_marked(tmp_path: Path) -> None:
    prepare_state_folder(tmp_path / "state")
    assert mark_of(tmp_path / "state").format == FORMAT
    assert (tmp_path / "state").stat().st_mode & 0o007 == 0


def test_a_folder_of_before_there_was_a_mark_is_brought_forward(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"events")
    prepare_state_folder(tmp_path)
    assert mark_of(tmp_path).format == FORMAT
    assert (tmp_path / "outbox.db").read_bytes() == b"events"


def test_steps_run_once_each_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(statefolder, "FORMAT", 3)
    monkeypatch.setattr(statefolder, "STEPS", {at: lambda _, at=at: done.append(at) for at in range(3)})
    (tmp_path / NAME).write_text('{"format": 1, "written_by": "0.1"}')
    prepare_state_folder(tmp_path)
    prepare_state_folder(tmp_path)
    assert done == [1, 2]
    assert mark_of(tmp_path).format == 3


def test_a_step_that_fails_leaves_the_old_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(statefolder, "STEPS", {0: fail})
    with pytest.raises(StateError, match="No space left on device"):
        prepare_state_folder(tmp_path)
    assert not (tmp_path / NAME).exists()


def test_a_newer_programs_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"format": 99, "written_by": "7.2"}')
    with pytest.raises(StateError, match=r"written by tagsight 7\.2 in format 99; .* knows formats up to 1"):
        prepare_state_folder(tmp_path)
    assert (tmp_path / NAME).read_text() == '{"format": 99, "written_by": "7.2"}'


@pytest.mark.parametrize("text", ["", "{", '{"format": "one"}', "[]", "\x00" * 20_000])
def test_a_mark_that_cannot_be_read_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(StateError, match=r"it says which version wrote the folder: restore it"):
        prepare_state_folder(tmp_path)


def test_a_place_where_no_folder_can_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="let this user write there"):
        prepare_state_folder(tmp_path / "file" / "state")


def test_the_daemon_refuses_it_in_one_line(tmp_path: Path, repo: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / NAME).write_text('{"format": 99, "written_by": "7.2"}')
    store = tmp_path / "store.yaml"
    store.write_text("site: {name: s, device: d}\nfloor: {extent_m: [0, 0, 1, 1]}\n")
    command = [sys.executable, "-m", "runtime", "run", "--config", str(store)]
    environment = {**os.environ, "PYTHONPATH": str(repo)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "written by tagsight 7.2 in format 99" in done.stderr
