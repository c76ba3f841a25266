"""What can still be read of a damaged outbox, carried over into the new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from contract.envelope import open_envelope
from contract.errors import PayloadError
from contract.ranges import SeqRanges
from runtime.uplink.outbox.database import Row, read_note, readable, write_note
from runtime.uplink.outbox.room import delivered

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file raises; the second where the complaint itself quotes what is no text."""
LONGEST_SKIP = 16
"""Numbers left out at once where nothing can be read: about as many as share a page."""
MAX_READS = 20_000
"""Bound of the work on a file that fails everywhere."""


def salvage(damaged: Path, into: sqlite3.Connection, until_seq: int) -> SeqRanges:
    """Copy the readable events of `damaged` up to `until_seq`; returns which need not be called lost.

    Those are the copied ones and the ones that the old file knew to be delivered. Whatever cannot be read
    is left out: nothing in a damaged file raises here.
    """
    try:
        old = sqlite3.connect(damaged, isolation_level=None)
    except UNREADABLE:
        return SeqRanges()
    old.text_factory = readable
    try:
        kept = _delivered(old, until_seq)
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


def _delivered(old: sqlite3.Connection, until_seq: int) -> SeqRanges:
    """What it knew as delivered; nothing where that goes beyond what it can have held."""
    try:
        found = delivered(old)
        last_seq = int(read_note(old, "last_seq") or 0)
    except (*UNREADABLE, ValueError):
        return SeqRanges()
    return found if found.last() <= min(last_seq, until_seq) else SeqRanges()


def _readable_rows(old: sqlite3.Connection, until_seq: int) -> Iterator[Row]:
    """Rows that can be read and are events, in rising `seq`; past damage, it goes on further along.

    A damaged page may also look like the end of the table, so only the last number is taken for the end.
    """
    seq, skip, last_seq = 1, 1, min(until_seq, _last_seq(old, until_seq))
    for _ in range(MAX_READS):
        with suppress(*UNREADABLE):
            for values in old.execute(
                "SELECT seq, rank, kind, time_s, body FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq",
                (seq, last_seq),
            ):
                seq, skip = max(seq, int(values[0])) + 1, 1
                if _is_event(values):
                    yield Row(*values)
        if seq > last_seq:
            return
        seq, skip = seq + skip, min(2 * skip, LONGEST_SKIP)


def _last_seq(old: sqlite3.Connection, otherwise: int) -> int:
    try:
        (last_seq,) = old.execute("SELECT max(seq) FROM events").fetchone()
    except UNREADABLE:
        return otherwise
    return int(last_seq or 0)


def _is_event(values: tuple[object, ...]) -> bool:
    seq, rank, kind, time_s, body = values
    if not (isinstance(rank, int) and isinstance(time_s, float) and isinstance(body, bytes)):
        return False
    try:
        envelope = open_envelope(body)
    except PayloadError:
        return False
    return (envelope.seq, envelope.kind) == (seq, kind)
