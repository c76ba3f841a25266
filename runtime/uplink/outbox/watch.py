"""Files of an outbox that were removed or swapped under its writer: noticed, and put back.

What was written since is not lost: the writer's connection still has the files open. A copy of them, whole
and synced, takes the place at the path; whatever lies there is moved aside. The numbers go on.

A connection that is closed removes its journal by name, but not where its database has been moved: so what
lies at the path is moved before the writer closes, and a reader of the old files may close when it likes.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

from runtime.uplink.outbox import database
from runtime.uplink.outbox.database import HighWater
from runtime.uplink.outbox.repair import PARTS, quarantine

COPY_PAGES = 2_000
"""Pages copied at a time; between two of them readers have their turn."""
NAMES = {"": "the database", "-wal": "its journal", "-shm": "the index of its journal"}

log = logging.getLogger(__name__)


class FileKeeper:
    """Keeps the files of an outbox where they belong while its writer has them open.

    `lock_file` is the writer's lock; another one once its file has been removed.
    """

    def __init__(self, path: Path, high_water: HighWater, lock_file: TextIOWrapper) -> None:
        self.lock_file = lock_file
        self._path = path
        self._high_water = high_water
        self._seen: dict[str, tuple[int, int] | None] = {}
        self.watch()

    def watch(self) -> None:
        """These are the writer's files: called whenever it has opened others."""
        self._seen = {part: _identity(_part(self._path, part)) for part in PARTS}

    def look(self, db: sqlite3.Connection, now_s: float) -> sqlite3.Connection:
        """See that all are there, and put back what is not; the connection to go on with.

        Raises OutboxError where another writer has come in between, OSError where nothing can be written
        there now, sqlite3.Error where the old files cannot be read.
        """
        if what := self._displaced():
            copy_out(db, self._path)
            aside = quarantine(self._path, now_s)
            db.close()
            put_in_place(self._path)
            db = database.connect(self._path, "FULL")
            self.watch()
            found = f"; what lay there is in {aside}" if aside.exists() else ""
            log.error("%s: %s while in use: put back, nothing is missing%s", self._path, what, found)
        self._high_water.keep()
        self._keep_lock()
        return db

    def _displaced(self) -> str:
        """Which of the files is no longer the one that is written; empty where all are."""
        for part, seen in self._seen.items():
            there = _identity(_part(self._path, part))
            if there != seen and seen is not None:
                return f"{NAMES[part]} was {'removed' if there is None else 'replaced'}"
        return ""

    def _keep_lock(self) -> None:
        held = os.fstat(self.lock_file.fileno())
        if _identity(Path(self.lock_file.name)) == (held.st_dev, held.st_ino):
            return
        fresh = database.claim(self._path)
        self.lock_file.close()
        self.lock_file = fresh
        log.error("%s: its lock was removed while in use: taken again", self._path)


def copy_out(db: sqlite3.Connection, path: Path) -> None:
    """Write all that `db` holds into a whole, synced file beside `path`, for `put_in_place`.

    Raises sqlite3.Error where it cannot be read or the copy is not sound, OSError where it cannot be written.
    """
    part, whole = path.with_name(path.name + ".restoring"), _restored(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in (part, whole):
        _remove(stale)
    try:
        copy = sqlite3.connect(part, isolation_level=None)
        try:
            db.backup(copy, pages=COPY_PAGES)
            # One file, without a journal that could be left behind.
            copy.execute("PRAGMA journal_mode=DELETE")
            (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            copy.close()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"what could be copied is not sound: {verdict}")
        _sync(part)
    except BaseException:
        _remove(part)
        raise
    part.replace(whole)
    _sync(path.parent)


def put_in_place(path: Path) -> None:
    """Give the whole copy its name; nothing may lie there. Raises OSError."""
    if path.exists():
        raise FileExistsError(17, "the outbox cannot be put back: something lies there", str(path))
    for part in PARTS[1:]:
        _part(path, part).unlink(missing_ok=True)
    _restored(path).rename(path)
    _sync(path.parent)


def finish(path: Path, now_s: float) -> None:
    """Before an outbox is opened: a whole copy that its last writer left is the outbox. Raises OSError."""
    if _restored(path).exists():
        quarantine(path, now_s)
        put_in_place(path)


def _restored(path: Path) -> Path:
    return path.with_name(path.name + ".restored")


def _remove(file: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def _part(path: Path, part: str) -> Path:
    return path.with_name(path.name + part)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of what lies there; None where nothing does."""
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _sync(path: Path) -> None:
    """Onto the disk, a file or a folder."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
