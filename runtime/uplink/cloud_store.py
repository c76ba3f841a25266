"""The consumer's side of the ledger: every event once, and an account of what is missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from runtime.uplink.errors import PayloadError, UplinkError
from runtime.uplink.events import Gap, Origin, open_envelope, open_event, text_of
from runtime.uplink.migrations import migrate
from runtime.uplink.ranges import SeqRanges

STEPS = (
    """
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    rev INTEGER NOT NULL,
    retracted INTEGER NOT NULL,
    time TEXT NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    seen TEXT NOT NULL,
    named TEXT NOT NULL,
    gone TEXT NOT NULL,
    duplicates INTEGER NOT NULL,
    PRIMARY KEY (site, device)
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS facts AS
    SELECT site, device, kind, key, max(rev) AS rev, time, body FROM events
    GROUP BY site, device, key HAVING NOT retracted;
""",
)


class Account(msgspec.Struct):
    """What is known of one device.

    `seen` arrived, `named` was named by a gap event, `gone` is no longer in the device's outbox (delivered to
    somebody before); `duplicates` counts events that came again.
    """

    seen: SeqRanges
    named: SeqRanges
    gone: SeqRanges
    duplicates: int = 0

    def known(self) -> SeqRanges:
        """Arrived or named in a gap."""
        ranges = SeqRanges(self.seen)
        ranges.update(self.named)
        return ranges

    def settled(self) -> SeqRanges:
        """Nothing more can come of these."""
        ranges = self.known()
        ranges.update(self.gone)
        return ranges


class Audit(msgspec.Struct, frozen=True):
    """The verdict on one device: complete if every number up to the last was seen or named in a gap."""

    site: str
    device: str
    last_seq: int
    events: int
    named_in_gaps: int
    duplicates: int
    missing: tuple[tuple[int, int], ...]

    @property
    def complete(self) -> bool:
        return not self.missing


class CloudStore:
    """SQLite, or ":memory:", on the consumer's side. What `take` was given is durable after `commit`.

    One thread at a time.
    """

    def __init__(self, path: Path | str) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            migrate(self._db, STEPS, path, "event store")
        except sqlite3.Error as error:
            raise UplinkError(f"{path}: cannot be used to store events ({error})") from error
        self._accounts = {
            Origin(site, device): Account(
                SeqRanges.parse(seen), SeqRanges.parse(named), SeqRanges.parse(gone), duplicates
            )
            for site, device, seen, named, gone, duplicates in self._db.execute("SELECT * FROM accounts")
        }
        self._touched: set[Origin] = set()

    def take(self, origin: Origin, bodies: Sequence[bytes]) -> list[bytes]:
        """Store the new ones and return them. Raises PayloadError for an event of another origin."""
        fresh: list[bytes] = []
        account = self._account(origin)
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
        for body in bodies:
            envelope = open_envelope(body)
            if (envelope.site, envelope.device) != origin:
                raise PayloadError(
                    f"an event of {envelope.site}/{envelope.device} came on a topic of "
                    f"{origin.site}/{origin.device}"
                )
            stored = self._db.execute(
                "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    envelope.id,
                    *origin,
                    envelope.seq,
                    envelope.kind,
                    envelope.key,
                    envelope.rev,
                    envelope.retracted,
                    envelope.time,
                    text_of(body),
                ),
            ).rowcount
            self._touched.add(origin)
            if not stored:
                account.duplicates += 1
                continue
            fresh.append(body)
            account.seen.add(envelope.seq)
            if envelope.kind == "gap":
                self._name_gap(account, body, envelope.seq)
        return fresh

    def gone(self, origin: Origin, until_seq: int) -> None:
        """The device no longer has anything up to `until_seq`."""
        if until_seq > 0:
            self._account(origin).gone.add(1, until_seq)

    def _account(self, origin: Origin) -> Account:
        return self._accounts.setdefault(origin, Account(SeqRanges(), SeqRanges(), SeqRanges()))

    def _name_gap(self, account: Account, body: bytes, seq: int) -> None:
        """A gap event names numbers before its own; whatever else it claims is left out."""
        fact = open_event(body).fact
        if isinstance(fact, Gap):
            account.named.update((first, min(last, seq)) for first, last in fact.named() if first <= seq)

    def commit(self) -> list[Origin]:
        """Make durable what was taken; returns the devices it came from."""
        if not self._db.in_transaction:
            return []
        touched = sorted(self._touched)
        for origin in touched:
            account = self._accounts[origin]
            self._db.execute(
                "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?, ?)",
                (*origin, str(account.seen), str(account.named), str(account.gone), account.duplicates),
            )
        self._db.execute("COMMIT")
        self._touched.clear()
        return touched

    def facts(self) -> list[tuple[str, int, bytes]]:
        """What holds now: key, highest revision and event of every fact that was not withdrawn."""
        rows = self._db.execute("SELECT key, rev, body FROM facts ORDER BY site, device, key")
        return [(key, rev, body.encode()) for key, rev, body in rows]

    def origins(self) -> list[Origin]:
        """The devices we ever heard of."""
        return sorted(self._accounts)

    def prefix(self, origin: Origin) -> int:
        """Everything up to here is stored or cannot come any more."""
        account = self._accounts.get(origin)
        return 0 if account is None else account.settled().prefix_end()

    def first_missing(self, origin: Origin) -> int | None:
        """The first number that can still come although a later one came; None where all is whole."""
        account = self._accounts.get(origin)
        settled = SeqRanges() if account is None else account.settled()
        return next((first for first, _ in settled.missing()), None)

    def audit(self) -> list[Audit]:
        """One verdict for each device."""
        return [
            Audit(
                site=origin.site,
                device=origin.device,
                last_seq=account.known().last(),
                events=account.seen.count(),
                named_in_gaps=account.named.count(),
                duplicates=account.duplicates,
                missing=tuple(account.known().missing()),
            )
            for origin, account in sorted(self._accounts.items())
        ]

    def close(self) -> None:
        """Commit and let go."""
        self.commit()
        self._db.close()
