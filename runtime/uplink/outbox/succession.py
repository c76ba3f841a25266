"""An outbox goes on as a new stream: what was not delivered moves over, numbered from 1.

It does so where another copy of it is at work, and where its device has got another name.
Which of its events another copy of this outbox has delivered, nobody can tell; so everything goes again that
was not delivered when this writer started, under the `id` it always had: who has it already keeps it once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from contract.envelope import Origin, encode_event, move
from contract.errors import PayloadError
from contract.gaps import Gap, gap_of_stream
from contract.ranges import SeqRanges
from runtime.uplink.outbox.database import HighWater, Row, write_note
from runtime.uplink.outbox.identity import (
    Identity,
    Succession,
    answered,
    new_identity,
    write_identity,
    write_origin,
)
from runtime.uplink.outbox.losses import DROP_RANK, OUTBOX_LOST, Losses

ROWS_AT_ONCE = 1_000


def renew(
    db: sqlite3.Connection,
    high_water: HighWater,
    old: Identity,
    wish: Succession,
    *,
    origin: Origin,
    before: SeqRanges,
    waiting: Sequence[Row],
    losses: Losses,
    now_s: float,
) -> tuple[Identity, int]:
    """Make the outbox a new stream; returns its identity and its last number.

    `before` was delivered when the writer started, `waiting` is not on disk yet, `losses` no gap event has
    told: both are taken over. Raises sqlite3.Error or OSError where the disk refuses; the outbox is then as
    it was.
    """
    fresh = new_identity().started(0)
    mark = high_water.value
    high_water.restart(fresh.stream, fresh.incarnations)
    try:
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", waiting)
        for first, last in before:
            db.execute("DELETE FROM events WHERE seq BETWEEN ? AND ?", (first, last))
        last_seq, unreadable = _renumber(db, old.stream, origin, fresh.stream)
        untold = Losses()
        untold.update(losses)
        untold.update(unreadable)
        names_any = wish.first <= wish.last
        gaps = [gap_of_stream(wish.stream, *wish.named(), wish.why, now_s)] if names_any else []
        gaps += [_of_stream(gap, old.stream) for gap in untold.gaps(now_s)]
        for gap in gaps:
            last_seq += 1
            body = encode_event(gap, origin, last_seq, now_s, fresh.stream)
            row = Row(last_seq, DROP_RANK["gap"], "gap", gap.time_s, body)
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)
        write_note(db, "last_seq", str(last_seq))
        write_note(db, "losses", Losses().note())
        write_note(db, "delivered", "")
        write_note(db, "sent", "")
        write_note(db, "announced", fresh.stream)
        write_identity(db, fresh)
        write_origin(db, origin)
        answered(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        high_water.value = mark
        high_water.name(old.stream, old.incarnations, old.migrated)
        raise
    high_water.cover(last_seq)
    return fresh, last_seq


def _renumber(db: sqlite3.Connection, old_stream: str, origin: Origin, stream: str) -> tuple[int, Losses]:
    """Number what is there from 1; returns the last number, and what could not be moved.

    A row never moves to a greater number than it has, so in rising order none meets another.
    """
    number, losses = 0, Losses()
    for row in _rows(db):
        try:
            body = _gap_moved(row.body, old_stream) if row.kind == "gap" else row.body
            moved = move(body, origin, stream, number + 1)
        except PayloadError:
            db.execute("DELETE FROM events WHERE seq = ?", (row.seq,))
            losses.add(OUTBOX_LOST, row.seq, row.seq, row.kind)
            continue
        number += 1
        db.execute("UPDATE events SET seq = ?, body = ? WHERE seq = ?", (number, moved, row.seq))
    return number, losses


def _rows(db: sqlite3.Connection) -> Iterator[Row]:
    seen = 0
    while True:
        chunk = db.execute(
            "SELECT seq, rank, kind, time_s, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
            (seen, ROWS_AT_ONCE),
        ).fetchall()
        if not chunk:
            return
        for values in chunk:
            yield Row(*values)
        seen = chunk[-1][0]


def _gap_moved(body: bytes, old_stream: str) -> bytes:
    """A gap event that named numbers of its own stream now names them as the old stream's."""
    try:
        event = msgspec.json.decode(body)
        event["of_stream"] = event.get("of_stream") or old_stream
        return msgspec.json.encode(event)
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise PayloadError(f"not a gap event: {error}") from error


def _of_stream(gap: Gap, stream: str) -> Gap:
    return msgspec.structs.replace(gap, of_stream=stream)
