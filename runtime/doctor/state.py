"""The state folder of a store: whether the daemon can keep there what it counts."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from runtime.config import StoreConfig
from runtime.doctor.findings import Finding
from runtime.supervisor.state.folder import mark_of
from runtime.uplink.outbox.database import VERSION

UPGRADE = "install the newer tagsight again, or give another uplink.outbox"


def folder(store: StoreConfig) -> Finding:
    """The folder is ours to write, and so is the outbox in it. Raises StateError, OSError."""
    place = store.state_dir
    mark_of(place)
    if not place.exists():
        return Finding("ok", f"{place} will be made when the daemon starts")
    if not os.access(place, os.W_OK | os.X_OK):
        why = "is on a read-only file system" if _is_read_only(place) else "cannot be written by this user"
        return Finding("missing", f"{place} {why}", "let the service's user write there")
    outbox = store.outbox_path()
    if outbox.exists() and not outbox.is_file():
        return Finding("missing", f"{outbox} is no file", "move it away, or give another uplink.outbox")
    version, kept = _inside(outbox) if outbox.exists() else (0, 0)
    if version > VERSION:
        found = (
            f"{outbox} was written by a newer tagsight (outbox version {version}, this one knows {VERSION})"
        )
        return Finding("missing", found, UPGRADE)
    runs = "a daemon runs on it" if _is_held(place) else "no daemon runs on it"
    return Finding("ok", f"{place}: {runs}; the outbox holds {kept} events")


def _inside(outbox: Path) -> tuple[int, int]:
    """Version of an outbox, and how many events are in it; nothing is written."""
    with closing(sqlite3.connect(f"{outbox.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0 or version > VERSION:
            return int(version), 0
        (kept,) = db.execute("SELECT count(*) FROM events").fetchone()
        return int(version), int(kept)


def _is_read_only(place: Path) -> bool:
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)


def _is_held(place: Path) -> bool:
    """Whether a daemon has its lock on the folder."""
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
