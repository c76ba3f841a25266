"""What can still be read of a damaged outbox, carried over into the new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from runtime.uplink.errors import PayloadError
from runtime.uplink.events import open_envelope
from runtime.uplink.outbox_file import Row, read_note, write_note
from runtime.uplink.ranges import SeqRanges

ROWS_AT_ONCE = 256
MAX_READS = 20_000
"""Bound of the work on a file that fails everywhere."""


def salvage(damaged: Path, into: sqlite3.Connection, until_seq: int) -> SeqRanges:
    """Copy the readable events of `damaged` up to `until_seq`; returns which need not be called lost.

    Those are the copied ones and the ones that the old file knew to be delivered. Whatever cannot be read
    is left out: nothing in a damaged file raises here.
    """
    try:
        old = sqlite3.connect(damaged, isolation_level=None)
    except sqlite3.Error:
        return SeqRanges()
    try:
        kept = _delivered(old)
        if kept:
            write_note(into, "delivered", str(kept))
        into.execute("BEGIN IMMEDIATE")
        for row in _readable_rows(old, until_seq):
            into.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?)", row)
            kept.add(row.seq)
        into.execute("COMMIT")
    finally:
        old.close()
    return kept


def _delivered(old: sqlite3.Connection) -> SeqRanges:
    try:
        return SeqRanges.parse(read_note(old, "delivered") or "")
    except (sqlite3.Error, ValueError):
        return SeqRanges()


def _readable_rows(old: sqlite3.Connection, until_seq: int) -> Iterator[Row]:
    """Rows that can be read and are events, in rising `seq`; past damage, it goes on further along."""
    seq, step, reads = 1, 1, 0
    while seq <= until_seq and reads < MAX_READS:
        reads += 1
        try:
            rows = old.execute(
                "SELECT seq, rank, kind, time_s, body FROM events"
                " WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
                (seq, until_seq, ROWS_AT_ONCE if step == 1 else 1),
            ).fetchall()
        except sqlite3.Error:
            seq, step = seq + step, min(2 * step, ROWS_AT_ONCE)
            continue
        if not rows:
            return
        yield from (Row(*values) for values in rows if _is_event(values))
        seq, step = max(seq, rows[-1][0]) + 1, 1


def _is_event(values: tuple[object, ...]) -> bool:
    seq, rank, kind, time_s, body = values
    if not (isinstance(rank, int) and isinstance(time_s, float) and isinstance(body, bytes)):
        return False
    try:
        envelope = open_envelope(body)
    except PayloadError:
        return False
    return (envelope.seq, envelope.kind) == (seq, kind)
