"""The state folder and the version of what lies in it: brought forward, never taken back.

`format.json` in the folder says which version wrote it. A daemon that knows only older versions refuses it:
it would not understand, and might spoil, what a newer one has kept. The outbox has a version of its own.
What lies there is its user's and group's alone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import msgspec

from tagsight.errors import TagsightError

FORMAT = 1
NAME = "format.json"
MAX_BYTES = 10_000
FOLDER_MODE = 0o750
OTHERS = 0o007
"""What no other user of the machine may do with what lies there."""
REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "mount it so that it can be written",
    errno.EIO: "check the disk",
}

Step = Callable[[Path], None]


class StateError(TagsightError):
    """A state folder that cannot be used."""


class StateUnwritableError(StateError):
    """A state folder that holds nothing that we do not know, and takes nothing now."""


class Mark(msgspec.Struct, frozen=True):
    """What `format.json` says: the version of the folder, and of the program that wrote it last."""

    format: int
    written_by: str


def _from_unmarked(folder: Path) -> None:
    """Folders of before there was a mark: nothing in them is different."""


MIGRATIONS: dict[int, Step] = {0: _from_unmarked}
"""From each older version to the next."""


def prepare_state_folder(folder: Path) -> None:
    """Make the folder, or bring an older one forward.

    Raises StateError where a newer program has used it or that cannot be seen, StateUnwritableError where it
    is ours and cannot be written.
    """
    found = mark_of(folder)
    if found is not None and found.format == FORMAT:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        for step in range(0 if found is None else found.format, FORMAT):
            MIGRATIONS[step](folder)
        _write(folder / NAME, Mark(FORMAT, version("tagsight")))
    except OSError as error:
        # What an older program has left must be brought forward before anybody uses it.
        kind = StateUnwritableError if found is None else StateError
        raise kind(_on_refused(folder, error)) from error


def mark_of(folder: Path) -> Mark | None:
    """What the folder's mark says; None where there is none yet.

    Raises StateError where a newer program has used the folder or that cannot be seen.
    """
    try:
        found = _read(folder / NAME)
    except NotADirectoryError:
        return None
    except OSError as error:
        raise StateError(_on_refused(folder, error)) from error
    if found is not None and found.format > FORMAT:
        raise StateError(_newer(folder, found))
    return found


def restrict_modes(files: Iterable[Path]) -> None:
    """Take from other users of the machine what they may do with these, where they are ours to change."""
    for file in files:
        with suppress(OSError):
            mode = file.stat().st_mode
            if mode & OTHERS and not file.is_symlink():
                file.chmod(mode & ~OTHERS & 0o7777)


def _on_refused(folder: Path, error: OSError) -> str:
    remedy = REMEDIES.get(error.errno or 0, "let this user write there")
    where = f" ({error.filename})" if error.filename not in (None, str(folder)) else ""
    return f"state_dir {folder}: {error.strerror or error}; {remedy}{where}"


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
