"""Opening an outbox for writing, whatever state its file is in.

A damaged file is set aside, never deleted, and a new one begins with what can be read of it; the number
beside the outbox makes sure that no `seq` is used twice, and a gap event names what was lost with the file.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from pathlib import Path

from contract.errors import UNREADABLE
from contract.ranges import MAX_SEQ
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox import database
from runtime.uplink.outbox.database import HighWater
from runtime.uplink.outbox.losses import OUTBOX_LOST, Losses
from runtime.uplink.outbox.room import delivered
from runtime.uplink.outbox.salvage import salvage

log = logging.getLogger(__name__)

DAMAGED_KEPT = 3
PARTS = ("", "-wal", "-shm")


def open_for_writing(path: Path, high_water: HighWater, now_s: float) -> sqlite3.Connection:
    """A sound outbox at `path`: the one that is there, or a new one in the place of a damaged one.

    What was lost stands in its losses. Raises OutboxError where the file can neither be used nor replaced.
    """
    try:
        damage = find_damage(path)
        if high_water.damaged:
            _do_without(high_water, damage)
        if damage is not None:
            return replace_damaged(path, damage, high_water.value, now_s)
        db = database.connect(path, "FULL")
        if database.read_note(db, "last_seq") is None:
            losses = Losses()
            if high_water.value > 0:
                losses.add(OUTBOX_LOST, 1, high_water.value)
            note_progress(db, high_water.value, losses)
    except sqlite3.OperationalError as error:
        raise OutboxError(f"{path}: the outbox cannot be used ({error}); check the disk it is on") from error
    return db


def _do_without(high_water: HighWater, damage: str | None) -> None:
    """A sound outbox knows its last number itself; with both gone, numbers might be used twice."""
    if damage is not None:
        raise OutboxError(
            f"{high_water.path}: holds no number, and the outbox is damaged ({damage}); write a number "
            "into it that is greater than any the cloud has seen of this device"
        )
    log.warning("%s: holds no number; it is written anew", high_water.path)


def replace_damaged(path: Path, damage: str, last_seq: int, now_s: float) -> sqlite3.Connection:
    """Set a damaged outbox aside and begin a new one after `last_seq` with what could be read of the old."""
    aside = quarantine(path, now_s)
    db = database.connect(path, "FULL")
    kept = salvage(aside, db, last_seq)
    losses = Losses()
    for first, last in kept.missing(last_seq):
        losses.add(OUTBOX_LOST, first, last)
    note_progress(db, last_seq, losses)
    log.error(
        "%s is damaged (%s): moved to %s; a new outbox begins with %d of its events",
        path,
        damage,
        aside,
        kept.count(),
    )
    return db


def note_progress(db: sqlite3.Connection, last_seq: int, losses: Losses) -> None:
    """Remember the last `seq` on disk and what no gap event has told yet."""
    database.write_note(db, "last_seq", str(last_seq))
    database.write_note(db, "losses", losses.note())


def find_damage(path: Path) -> str | None:
    """Why the file is no sound outbox, or None where it is one or does not exist yet."""
    if not path.exists():
        return None
    try:
        db = database.connect(path, "FULL")
        try:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict == "ok":
                _check_notes(db)
        finally:
            db.close()
    except sqlite3.DatabaseError as error:
        if not database.is_corruption(error):
            raise
        return str(error)
    return None if verdict == "ok" else str(verdict)


def _check_notes(db: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError where the notes are not such as we write, or do not fit the events."""
    last_note = database.read_note(db, "last_seq")
    (newest,) = db.execute("SELECT max(seq) FROM events").fetchone()
    delivered_to = delivered(db).last()
    try:
        last_seq = int(last_note or 0)
        lost_to = Losses.from_note(database.read_note(db, "losses")).last()
    except (*UNREADABLE, ValueError) as error:
        raise sqlite3.DatabaseError(f"its notes are damaged: {error}") from error
    told_to = max(newest or 0, delivered_to, lost_to)
    if not told_to <= last_seq <= MAX_SEQ:
        raise sqlite3.DatabaseError(
            f"it tells of events up to {told_to} and says that {last_seq} is the last"
        )


def quarantine(path: Path, now_s: float) -> Path:
    """Move a damaged outbox with its journals aside, and keep the last DAMAGED_KEPT; returns where to."""
    earlier = _set_aside(path)
    for old in earlier[: len(earlier) + 1 - DAMAGED_KEPT]:
        log.warning("%s is removed to make room for the next damaged outbox", old)
        for suffix in PARTS:
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_s))
    aside = path.with_name(f"{path.name}.damaged-{stamp}-{time.monotonic_ns()}")
    for suffix in PARTS:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    check_request(path).unlink(missing_ok=True)
    return aside


def _set_aside(path: Path) -> list[Path]:
    """The damaged outboxes that are kept, oldest first."""
    kept = [
        aside for aside in path.parent.glob(f"{path.name}.damaged-*") if not aside.name.endswith(PARTS[1:])
    ]
    return sorted(kept, key=lambda aside: aside.stat().st_mtime_ns)


def check_request(path: Path) -> Path:
    """The file by which a reader that met damage asks the writer to look."""
    return path.with_name(path.name + ".suspect")
