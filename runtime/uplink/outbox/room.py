"""Keeping the outbox within its size: delivered events go first, then the lowest rank, oldest first."""

from __future__ import annotations

import sqlite3

from contract.ranges import SeqRanges
from runtime.uplink.outbox.database import read_note, used_bytes, write_note
from runtime.uplink.outbox.losses import DROP_RANK, OUTBOX_FULL, UNSENDABLE, Losses

ROWS_AT_ONCE = 2_000
"""Rows deleted in one transaction: more than a group brings in, and still a short one."""
ROWS_A_STEP = 100
ENOUGH = 0.97
"""Once the limit is passed, room is made down to this share of it."""


def delivered(db: sqlite3.Connection) -> SeqRanges:
    """What the uplink has noted as delivered. Raises sqlite3.DatabaseError where the note is damaged."""
    try:
        return SeqRanges.parse(read_note(db, "delivered") or "")
    except ValueError as error:
        raise sqlite3.DatabaseError(f"the note of what was delivered is damaged: {error}") from error


def note_hopeless(db: sqlite3.Connection, seq: int) -> None:
    """The sending end: this event can never be sent."""
    ranges = SeqRanges.parse(read_note(db, "hopeless") or "")
    ranges.add(seq)
    write_note(db, "hopeless", str(ranges))


def drop_hopeless(db: sqlite3.Connection) -> Losses:
    """Inside a transaction: delete what can never be sent; returns it."""
    losses = Losses()
    for first, last in SeqRanges.parse(read_note(db, "hopeless") or ""):
        for seq in range(first, last + 1):
            row = db.execute("SELECT kind FROM events WHERE seq = ?", (seq,)).fetchone()
            db.execute("DELETE FROM events WHERE seq = ?", (seq,))
            losses.add(UNSENDABLE, seq, seq, None if row is None else row[0])
    if losses:
        write_note(db, "hopeless", "")
    return losses


def purge_delivered(db: sqlite3.Connection, before_s: float, limit: int = ROWS_AT_ONCE) -> int:
    """Delete up to `limit` delivered events from before `before_s`, oldest first; returns how many."""
    deleted = 0
    for first, last in delivered(db):
        rows = db.execute(
            "DELETE FROM events WHERE seq IN"
            " (SELECT seq FROM"
            " (SELECT seq, time_s FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?)"
            " WHERE time_s < ?)",
            (first, last, limit - deleted, before_s),
        ).rowcount
        deleted += rows
        if deleted >= limit:
            break
    return deleted


def make_room(db: sqlite3.Connection, max_bytes: int) -> Losses:
    """Inside a transaction: where the file holds more than `max_bytes`, delete until it is clearly below.

    At most ROWS_AT_ONCE events go in one call. Returns what was deleted before it was delivered. Gap events
    are never dropped before they are delivered.
    """
    losses = Losses()
    if used_bytes(db) <= max_bytes:
        return losses
    deleted = 0
    while deleted < ROWS_AT_ONCE and used_bytes(db) > max_bytes * ENOUGH:
        count = purge_delivered(db, float("inf"), ROWS_A_STEP) or _drop_lowest(db, ROWS_A_STEP, losses)
        if count == 0:
            break
        deleted += count
    return losses


def _drop_lowest(db: sqlite3.Connection, limit: int, losses: Losses) -> int:
    """Delete up to `limit` undelivered events of the lowest rank there is; returns how many."""
    rows = db.execute(
        "SELECT seq, kind FROM events WHERE rank = (SELECT min(rank) FROM events WHERE rank < ?)"
        " ORDER BY seq LIMIT ?",
        (DROP_RANK["gap"], limit),
    ).fetchall()
    db.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for seq, _ in rows])
    for seq, kind in rows:
        losses.add(OUTBOX_FULL, seq, seq, kind)
    return len(rows)
