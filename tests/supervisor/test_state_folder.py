"""The state folder's version: forward, never back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest

from runtime.supervisor.state import folder as state_folder
from runtime.supervisor.state.folder import (
    FORMAT,
    NAME,
    Mark,
    StateError,
    StateUnwritableError,
    prepare_state_folder,
    restrict_modes,
)


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
    monkeypatch.setattr(state_folder, "FORMAT", 3)
    monkeypatch.setattr(state_folder, "MIGRATIONS", {at: lambda _, at=at: done.append(at) for at in range(3)})
    (tmp_path / NAME).write_text('{"format": 1, "written_by": "0.1"}')
    prepare_state_folder(tmp_path)
    prepare_state_folder(tmp_path)
    assert done == [1, 2]
    assert mark_of(tmp_path).format == 3


def test_a_step_that_fails_leaves_the_old_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(state_folder, "MIGRATIONS", {0: fail})
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


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_is_named_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StateUnwritableError, match=os.strerror(number)) as told:
        prepare_state_folder(tmp_path)
    assert "None" not in str(told.value)


def test_what_an_older_program_left_is_not_used_before_it_is_brought_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(state_folder, "FORMAT", 2)
    monkeypatch.setattr(state_folder, "MIGRATIONS", {1: fail})
    (tmp_path / NAME).write_text('{"format": 1, "written_by": "0.1"}')
    with pytest.raises(StateError) as told:
        prepare_state_folder(tmp_path)
    assert not isinstance(told.value, StateUnwritableError)


def test_others_lose_what_they_may_do_with_files_of_the_folder_and_links_are_left_alone(
    tmp_path: Path,
) -> None:
    loose, link = tmp_path / "outbox.db", tmp_path / "link"
    loose.touch(mode=0o644)
    loose.chmod(0o666)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    elsewhere.chmod(0o644)
    link.symlink_to(elsewhere)
    restrict_modes([loose, link, tmp_path / "absent"])
    assert loose.stat().st_mode & 0o777 == 0o660
    assert elsewhere.stat().st_mode & 0o777 == 0o644
