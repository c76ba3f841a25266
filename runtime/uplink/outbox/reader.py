"""The reading end of the outbox: what the uplink process sees of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from contract.envelope import Origin
from contract.ranges import SeqRanges
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox import database
from runtime.uplink.outbox.database import Row
from runtime.uplink.outbox.identity import (
    Identity,
    Succession,
    read_identity,
    read_origin,
    request,
    requested,
)
from runtime.uplink.outbox.room import delivered, note_hopeless

_as_row = cast("Callable[[object], Row]", partial(tuple.__new__, Row))


class OutboxReader:
    """Reads committed events and notes which were delivered; any number may read, one should note.

    Only committed events are visible, in rising `seq`; a `seq` that is absent between two present ones was
    dropped or purged and will not come.
    """

    def __init__(self, path: Path) -> None:
        """Raises OutboxError where there is no outbox: only its writer makes one."""
        self._path = path
        if not path.exists():
            raise OutboxError(f"{path}: no outbox there; its writer has not begun")
        self._db = database.connect(path, "NORMAL", create=False)
        self._inode = path.stat().st_ino

    def rows(
        self, from_seq: int, until_seq: int | None = None, *, limit: int = 500, max_bytes: int = 512_000
    ) -> list[Row]:
        """The events from `from_seq` to below `until_seq`: at most `limit`, and about `max_bytes` of JSON."""
        found: list[Row] = []
        size = 0
        values = self._db.execute(
            "SELECT seq, rank, kind, time_s, body FROM events"
            " WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?",
            (from_seq, 2**62 if until_seq is None else until_seq, limit),
        )
        # What Row._make does, without a call in Python for each row.
        for row in map(_as_row, values):
            found.append(row)
            size += len(row.body)
            if size >= max_bytes:
                break
        return found

    def first_since(self, time_s: float) -> int:
        """The first `seq` of what happened at that time or later; the next to come where there is none."""
        (seq,) = self._db.execute("SELECT min(seq) FROM events WHERE time_s >= ?", (time_s,)).fetchone()
        return self.last_seq() + 1 if seq is None else int(seq)

    def is_replaced(self) -> bool:
        """Another file lies at the path by now (a damaged outbox was set aside)."""
        try:
            return self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def last_seq(self) -> int:
        """The last `seq` that was committed."""
        return int(database.read_note(self._db, "last_seq") or 0)

    def oldest_seq(self) -> int:
        """The first `seq` that is still here; the next to come where the outbox is empty."""
        (seq,) = self._db.execute("SELECT min(seq) FROM events").fetchone()
        return self.last_seq() + 1 if seq is None else int(seq)

    def newest_of(self, kind: str) -> int:
        """The last `seq` of a kind; 0 where there is none. Looks at all that is there."""
        (seq,) = self._db.execute("SELECT max(seq) FROM events WHERE kind = ?", (kind,)).fetchone()
        return 0 if seq is None else int(seq)

    def oldest_undelivered_s(self, delivered_to: int) -> float | None:
        """Time of the first event after `delivered_to`; None where there is none."""
        row = self._db.execute(
            "SELECT time_s FROM events WHERE seq > ? ORDER BY seq LIMIT 1", (delivered_to,)
        ).fetchone()
        return None if row is None else float(row[0])

    def delivered(self) -> SeqRanges:
        """What was noted as delivered."""
        return delivered(self._db)

    def note_delivered(self, ranges: SeqRanges) -> None:
        """Remember what was delivered. Raises sqlite3.Error where the disk refuses."""
        database.write_note(self._db, "delivered", str(ranges))

    def identity(self) -> Identity:
        """Whose events these are. Raises OutboxError where the writer has not said it yet."""
        identity = read_identity(self._db)
        if identity is None:
            raise OutboxError(f"{self._path}: no stream in it yet; its writer has not begun")
        return identity

    def origin(self) -> Origin | None:
        """Whose name they bear; None where none says it."""
        return read_origin(self._db)

    def request(self, succession: Succession) -> None:
        """Ask the writer to say that a stream is over. Raises sqlite3.Error where the disk refuses."""
        request(self._db, succession)

    def requested(self) -> Succession | None:
        """What the writer was asked for and has not done yet."""
        return requested(self._db)

    def give_up(self, seq: int) -> None:
        """Ask the writer to name an event in a gap: it can never be sent. Raises sqlite3.Error."""
        note_hopeless(self._db, seq)

    def is_announced(self, stream: str) -> bool:
        """The stream has been told to a broker before."""
        return database.read_note(self._db, "announced") == stream

    def note_announced(self, stream: str) -> None:
        """Remember that it has been told."""
        database.write_note(self._db, "announced", stream)

    def sent(self) -> SeqRanges:
        """What was noted as sent at least once; less where the note is damaged."""
        try:
            return SeqRanges.parse(database.read_note(self._db, "sent") or "")
        except ValueError:
            return SeqRanges()

    def note_sent(self, ranges: SeqRanges) -> None:
        """Remember what was sent. Raises sqlite3.Error where the disk refuses."""
        database.write_note(self._db, "sent", str(ranges))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
