"""The state folder and the version of what lies in it: brought forward, never taken back.

`format.json` in the folder says which version wrote it. A daemon that knows only older versions refuses it:
it would not understand, and might spoil, what a newer one has kept. The outbox has a version of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import msgspec

from runtime.errors import TagsightError

FORMAT = 1
NAME = "format.json"
MAX_BYTES = 10_000
FOLDER_MODE = 0o750

Step = Callable[[Path], None]


class StateError(TagsightError):
    """A state folder that cannot be used."""


class Mark(msgspec.Struct, frozen=True):
    """What `format.json` says: the version of the folder, and of the program that wrote it last."""

    format: int
    written_by: str


def _from_unmarked(folder: Path) -> None:
    """Folders of before there was a mark: nothing in them is different."""


STEPS: dict[int, Step] = {0: _from_unmarked}
"""From each older version to the next."""


def prepare_state_folder(folder: Path) -> None:
    """Make the folder, or bring an older one forward.

    Raises StateError where a newer program has used it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        found = _read(folder / NAME)
        if found is not None and found.format > FORMAT:
            raise StateError(_newer(folder, found))
        if found is not None and found.format == FORMAT:
            return
        for step in range(0 if found is None else found.format, FORMAT):
            STEPS[step](folder)
        _write(folder / NAME, Mark(FORMAT, version("tagsight")))
    except OSError as error:
        raise StateError(
            f"state_dir {folder}: {error.strerror}; let this user write there ({error.filename})"
        ) from error


def _newer(folder: Path, mark: Mark) -> str:
    return (
        f"{folder}: written by tagsight {mark.written_by} in format {mark.format}; this is tagsight "
        f"{version('tagsight')} and knows formats up to {FORMAT}: install that version again, or give "
        "another state_dir (events that were not delivered yet stay in the old one)"
    )


def _read(file: Path) -> Mark | None:
    try:
        with file.open("rb") as stream:
            return msgspec.json.decode(stream.read(MAX_BYTES), type=Mark)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StateError(f"{file}: {error}; it says which version wrote the folder: restore it") from error


def _write(file: Path, mark: Mark) -> None:
    """On disk before its name is there."""
    fresh = file.with_suffix(".new")
    with fresh.open("wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(mark)) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
