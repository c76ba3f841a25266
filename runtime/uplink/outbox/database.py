"""The outbox's SQLite file: its tables, its version, its notes, and the number beside it.

WAL with synchronous=FULL for the writing end: a commit returns once the disk has the data. The reading end
only notes what was delivered; losing such a note costs a repeated delivery, so it runs with
synchronous=NORMAL.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Literal, NamedTuple

from contract.ranges import MAX_SEQ
from runtime.uplink.errors import OutboxError
from tagsight.migrations import migrate

BUSY_TIMEOUT_S = 10.0
MAX_NUMBER_BYTES = 64
MAX_FILE_BYTES = 4_096
INCARNATIONS_KEPT = 16
MIGRATED_MARK = "+"
"""Before a stream's name in the file beside the outbox: it was named after its first events had gone."""
RESERVE = 10_000
"""`seq` numbers that the high-water mark beside the file runs ahead: written once for so many events."""

STEPS = (
    """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    rank INTEGER NOT NULL,
    kind TEXT NOT NULL,
    time_s REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX events_rank ON events (rank);
CREATE TABLE notes (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
""",
)
"""From version to version; a change of the tables is a further step, never an edit of an old one."""


VERSION = len(STEPS)
"""Of an outbox that this program writes; it refuses one with a greater number."""


class Row(NamedTuple):
    """One event as it lies in the outbox; when something has to be dropped, the lowest `rank` goes first."""

    seq: int
    rank: int
    kind: str
    time_s: float
    body: bytes


def claim(path: Path) -> TextIOWrapper:
    """Hold the lock that says who writes this outbox; freed by the kernel when the process ends.

    Raises OutboxError where another process holds it or the folder may not be written.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock_file = lock_path.open("a")
    except OSError as error:
        raise OutboxError(
            f"{path}: the outbox cannot be opened ({error.strerror}); give a path that the service may write"
        ) from error
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock_file.close()
        raise OutboxError(
            f"{path}: another process writes this outbox; stop it or give another outbox path"
        ) from error
    return lock_file


def connect(path: Path, synchronous: Literal["FULL", "NORMAL"], *, create: bool = True) -> sqlite3.Connection:
    """Open an existing outbox file, or with `create` a new one too, and bring its tables up to the version of
    the last of `STEPS`.

    Raises OutboxError for a file written by a newer version; for a damaged one sqlite3.DatabaseError, but
    none of its subclasses, see `is_corruption`.
    """
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except (OSError, sqlite3.OperationalError) as error:
        raise OutboxError(
            f"{path}: the outbox cannot be opened ({error}); give a path that the service may write"
        ) from error
    db.text_factory = readable
    try:
        _switch_to_wal(db)
        db.execute(f"PRAGMA synchronous={synchronous}")
        db.execute("PRAGMA journal_size_limit=16777216")
        migrate(db, STEPS, path, "outbox", OutboxError)
    except UnicodeDecodeError as error:
        db.close()
        raise sqlite3.DatabaseError(f"its tables have names that are no text: {error}") from error
    except BaseException:
        db.close()
        raise
    return db


readable = partial(str, encoding="utf-8", errors="replace")
"""A text of the file; what a fault of the disk has made of it must not keep its row from being read."""


def _switch_to_wal(db: sqlite3.Connection) -> None:
    """SQLite does not wait for a lock here, and both ends of a new outbox may try at the same time."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)
        else:
            return


def is_corruption(error: Exception) -> bool:
    """The file is no sound database; what passes (busy, full, unreadable disk) is an OperationalError."""
    return type(error) is sqlite3.DatabaseError


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold data: free pages, which are used again, not counted."""
    (pages,), (free,), (size,) = (
        db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def read_note(db: sqlite3.Connection, name: str) -> str | None:
    """A remembered value, or None."""
    row = db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def write_note(db: sqlite3.Connection, name: str, value: str) -> None:
    """Remember a value."""
    db.execute(
        "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


class StreamIdentity(NamedTuple):
    """What the file beside the outbox says of its stream: the name, and the latest starts of its writer."""

    stream: str = ""
    incarnations: tuple[str, ...] = ()
    migrated: bool = False


class HighWater:
    """A file beside the outbox: a number that no `seq` on disk exceeds, and the stream's name.

    It survives the loss of the outbox itself. `damaged` where the file is there and holds no number; its
    value is 0 then.
    """

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox
        self.path = outbox.with_name(outbox.name + ".seq")
        self.damaged = False
        self.identity = StreamIdentity()
        self.value = self._read()

    def _read(self) -> int:
        try:
            lines = self.path.read_bytes()[:MAX_FILE_BYTES].split(b"\n")
            value = int(lines[0][:MAX_NUMBER_BYTES])
        except FileNotFoundError:
            return 0
        except ValueError:
            value = -1
        self.damaged = not 0 <= value <= MAX_SEQ
        if self.damaged:
            return 0
        stream, *incarnations = b" ".join(lines[1:2]).decode("ascii", "replace").split() or [""]
        migrated = stream.startswith(MIGRATED_MARK)
        self.identity = StreamIdentity(stream.removeprefix(MIGRATED_MARK), tuple(incarnations), migrated)
        return value

    def keep(self) -> None:
        """Write it again where somebody has removed or changed it. Raises OSError."""
        there = HighWater(self._outbox)
        if (there.value, there.identity, there.damaged) != (self.value, self.identity, False):
            self._write(self.value)

    def cover(self, seq: int) -> None:
        """Make sure that `seq` is below the mark, on disk, before it is used."""
        if seq > self.value:
            self._write(seq + RESERVE)

    def name(self, stream: str, incarnations: Sequence[str], migrated: bool) -> None:
        """Remember whose numbers these are."""
        self.identity = StreamIdentity(stream, tuple(incarnations[-INCARNATIONS_KEPT:]), migrated)
        self._write(self.value)

    def restart(self, stream: str, incarnations: Sequence[str]) -> None:
        """A new stream begins: its numbers start from 1."""
        self.identity = StreamIdentity(stream, tuple(incarnations[-INCARNATIONS_KEPT:]))
        self._write(0)

    def _write(self, value: int) -> None:
        mark = MIGRATED_MARK if self.identity.migrated else ""
        text = f"{value}\n{mark}{self.identity.stream} {' '.join(self.identity.incarnations)}\n"
        fresh = self.path.with_name(self.path.name + ".new")
        with fresh.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.value = value
