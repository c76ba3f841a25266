"""The consumer's side of the ledger: every event once, and an account of what is missing."""

from __future__ import annotations

import fcntl
import json
import logging
import sqlite3
import time
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from contract.envelope import Envelope, Origin, StreamId, open_envelope, text_of
from contract.errors import PayloadError
from contract.gaps import Gap
from contract.ranges import SeqRanges
from fleet.errors import FleetError
from fleet.ingest.consumer.account import StreamAccount, new_account
from fleet.ingest.consumer.audit import Audit, audit_of
from fleet.ingest.consumer.opening import opened
from fleet.ingest.consumer.reading import ForeignEvent, gap_of, glimpse

MAX_ASIDE = 10_000
"""So many unreadable events are kept; beyond that the oldest go."""
log = logging.getLogger(__name__)


class CloudStore:
    """SQLite, or ":memory:", on the consumer's side. What `take` was given is durable after `commit`.

    One thread at a time.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._lock_file: TextIOWrapper | None = None
        try:
            self._db = opened(path)
        except sqlite3.Error as error:
            raise FleetError(f"{path}: cannot be used to store events ({error})") from error
        self._accounts = dict(map(_read_account, self._db.execute("SELECT * FROM accounts")))
        self._touched: set[StreamId] = set()

    def claim(self) -> None:
        """Be the only one that fills this file, until `close`. Raises FleetError where another does."""
        if str(self._path) == ":memory:" or self._lock_file is not None:
            return
        lock_path = Path(f"{self._path}.lock")
        try:
            lock_file = lock_path.open("a")
        except OSError as error:
            raise FleetError(f"{lock_path}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock_file.close()
            raise FleetError(
                f"{self._path}: another receiver fills this database; stop it, or give another --db"
            ) from error
        self._lock_file = lock_file

    def take(self, origin: Origin, bodies: Sequence[bytes], retained: bool = False) -> list[bytes]:
        """Store the new ones and return them. One that cannot be read is put aside as it came.

        What the broker `retained` is a copy: it begins no account of a stream that is perhaps long over.
        """
        fresh: list[bytes] = []
        self._begin()
        for body in bodies:
            try:
                if self._take_one(origin, body, retained):
                    fresh.append(body)
            except PayloadError as error:
                log.warning("receiver: %s/%s: an event was put aside: %s", *origin, error)
                self._put_aside(origin, body, error, counts=not retained)
        return fresh

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def _take_one(self, origin: Origin, body: bytes, retained: bool) -> bool:
        """True for a new event. Raises PayloadError, ForeignEvent for one of another device."""
        envelope = open_envelope(body)
        if (envelope.site, envelope.device) != origin:
            raise ForeignEvent(
                f"an event of {envelope.site}/{envelope.device} came on a topic of "
                f"{origin.site}/{origin.device}"
            )
        stream = StreamId(*origin, envelope.stream)
        text = text_of(body)
        gap = gap_of(envelope, body)
        is_new = self._store(stream, envelope, text)
        if retained and (not is_new or stream not in self._accounts):
            return is_new
        account = self._account(stream)
        self._touched.add(stream)
        if not is_new:
            account.duplicates += 1
        elif envelope.seq in account.seen:
            account.clashes += 1
            log.warning(
                "receiver: %s/%s: number %d of stream %s stands for two events; both are kept",
                *(*origin, envelope.seq, envelope.stream or "without a name"),
            )
        account.arrived(envelope.seq)
        if gap is not None and is_new:
            self._take_gap(stream, gap, envelope.seq)
        return is_new

    def _store(self, stream: StreamId, envelope: Envelope, text: str) -> bool:
        """Keep it, unless this device's event with this id is there already."""
        changes = self._db.execute(
            "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                envelope.id,
                stream.site,
                stream.device,
                stream.stream,
                envelope.seq,
                envelope.kind,
                envelope.key,
                envelope.rev,
                envelope.retracted,
                envelope.time,
                text,
            ),
        ).rowcount
        if changes > 0:
            self._db.execute(
                "INSERT INTO arrivals (site, device, id, received_s) VALUES (?, ?, ?, ?)",
                (stream.site, stream.device, envelope.id, round(time.time(), 3)),
            )
        return changes > 0

    def _take_gap(self, stream: StreamId, gap: Gap, seq: int) -> None:
        """A gap event names numbers before its own, or those of a stream that this one follows."""
        if gap.of_stream and gap.of_stream != stream.stream:
            followed = StreamId(stream.site, stream.device, gap.of_stream)
            log.warning(
                "receiver: %s/%s: stream %s follows %s (%s)",
                *stream.origin,
                stream.stream,
                gap.of_stream,
                gap.why,
            )
            self._account(followed).orphan(gap.named())
            self._touched.add(followed)
            return
        self._account(stream).name((first, min(last, seq)) for first, last in gap.named() if first <= seq)

    def _put_aside(self, origin: Origin, body: bytes, why: PayloadError, counts: bool) -> None:
        """Keep what cannot be read; where it says at least its number, that number is settled."""
        place = None if isinstance(why, ForeignEvent) or not counts else glimpse(body)
        if place is not None:
            stream = StreamId(*origin, place.stream)
            self._account(stream).put_aside(place.seq)
            self._touched.add(stream)
        self._db.execute(
            "INSERT INTO aside (site, device, stream, seq, why, body) VALUES (?, ?, ?, ?, ?, ?)",
            (*origin, place.stream if place else "", place.seq if place else 0, str(why), body),
        )
        self._db.execute(
            "DELETE FROM aside WHERE number <= (SELECT max(number) FROM aside) - ?", (MAX_ASIDE,)
        )

    def greeted(
        self,
        stream: StreamId,
        oldest_seq: int,
        incarnation: str = "",
        migrated: bool = False,
        delivered_seq: int = 0,
    ) -> None:
        """A device has said what it is, what it still has from `oldest_seq` on, and what it counts as
        delivered.

        A migrated stream takes over the account that its device had before streams had names.
        """
        self._begin()
        unnamed = StreamId(stream.site, stream.device, "")
        if migrated and unnamed in self._accounts and stream not in self._accounts:
            self._accounts[stream] = self._accounts.pop(unnamed)
            self._touched.discard(unnamed)
            self._db.execute(
                "DELETE FROM accounts WHERE site = ? AND device = ? AND stream = ''", unnamed[:2]
            )
        is_new = stream not in self._accounts
        account = self._account(stream)
        others = [other for other in self.streams(stream.origin) if other != stream]
        if is_new and others and stream.stream:
            log.warning(
                "receiver: %s/%s begins a new stream, %s, after %d of an earlier one",
                *(*stream.origin, stream.stream, max(self._accounts[other].last_seq() for other in others)),
            )
        account.started(incarnation)
        account.only_from(oldest_seq)
        if delivered_seq > max(account.delivered, account.known().last()):
            log.warning(
                "receiver: %s/%s counts events up to %d as delivered, and up to %d are here: this database "
                "was put back from a copy, or others received them",
                *(*stream.origin, delivered_seq, account.known().last()),
            )
        account.counts_as_delivered(delivered_seq)
        self._touched.add(stream)

    def _account(self, stream: StreamId) -> StreamAccount:
        return self._accounts.setdefault(stream, new_account())

    def commit(self) -> list[StreamId]:
        """Make durable what was taken; returns the streams it belongs to."""
        if not self._db.in_transaction:
            return []
        touched = sorted(self._touched)
        for stream in touched:
            account = self._accounts[stream]
            self._db.execute(
                "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *stream,
                    *map(str, (account.seen, account.named, account.gone, account.aside, account.orphaned)),
                    *(account.duplicates, account.clashes, json.dumps(account.incarnations)),
                    account.delivered,
                ),
            )
        self._db.execute("COMMIT")
        self._touched.clear()
        return touched

    def roll_back(self) -> None:
        """Forget what was taken since the last `commit`; only `close` may follow."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def facts(self) -> list[tuple[str, int, bytes]]:
        """What holds now: key, highest revision and event of every fact that was not withdrawn."""
        rows = self._db.execute("SELECT key, rev, body FROM facts ORDER BY site, device, key")
        return [(key, rev, body.encode()) for key, rev, body in rows]

    def streams(self, origin: Origin | None = None) -> list[StreamId]:
        """The streams we ever heard of, or those of one device."""
        return sorted(stream for stream in self._accounts if origin in (None, stream.origin))

    def prefix(self, stream: StreamId) -> int:
        """Everything up to here is stored or cannot come any more."""
        account = self._accounts.get(stream)
        return 0 if account is None else account.settled().prefix_end()

    def position(self, stream: StreamId) -> tuple[int, dict[str, int]]:
        """The greatest number that came, and the latest starts of the stream's writer (see `Account`)."""
        account = self._accounts.get(stream)
        return (0, {}) if account is None else (account.last_seq(), dict(account.incarnations))

    def first_missing(self, stream: StreamId) -> int | None:
        """The first number that can still come although it should be here; None where all is whole."""
        account = self._accounts.get(stream)
        return None if account is None else account.first_missing()

    def audit(self) -> list[Audit]:
        """One verdict for each stream of each device."""
        return [audit_of(stream, account) for stream, account in sorted(self._accounts.items())]

    def close(self) -> None:
        """Commit and let go."""
        self.commit()
        self._db.close()
        if self._lock_file is not None:
            self._lock_file.close()


def _read_account(row: tuple[Any, ...]) -> tuple[StreamId, StreamAccount]:
    seen, named, gone, aside, orphaned = (SeqRanges.parse(text) for text in row[3:8])
    incarnations = json.loads(row[10] or "{}")
    account = StreamAccount(seen, named, gone, aside, orphaned, row[8], row[9], incarnations, row[11])
    return StreamId(*row[:3]), account
