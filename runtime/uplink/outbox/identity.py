"""Which stream an outbox holds, and whether it is still the only one of its kind.

A stream is a UUID made with the outbox; `seq` is gapless within it. At every start the writer draws an
incarnation and remembers it beside the stream. Whoever has seen an incarnation, or a number, of this stream
that this outbox does not know has met another copy of it: this one is an image restored from earlier, or one
of two clones. It then goes on as a new stream (`Succession`), so that no number ever means two events.
"""

from __future__ import annotations

import secrets
import sqlite3
import uuid
from collections.abc import Iterable

import msgspec

from contract.envelope import Origin, open_envelope
from contract.errors import UNREADABLE, PayloadError
from contract.ranges import MAX_SEQ
from runtime.uplink.outbox.database import HighWater, read_note, write_note

INCARNATIONS_KEPT = 512
"""What a device remembers of its own starts; a cloud that was away for longer takes it for a copy, which
costs a new stream and nothing else."""
RENAMED = "this device was %s/%s before"
COPIED = "the outbox was restored from an older image, or copied to another device"
REPLACED = "the outbox is new; what the one before it had not delivered is gone with it"


class Identity(msgspec.Struct, frozen=True):
    """The stream, and the incarnations of its writer, the present one last.

    The present incarnation `began` after that number: greater ones are its own. A `migrated` stream was named
    after its first events had been delivered under the device's name alone.
    """

    stream: str
    incarnations: tuple[str, ...]
    migrated: bool = False
    began: int = 0

    @property
    def incarnation(self) -> str:
        return self.incarnations[-1]

    def started(self, last_seq: int) -> Identity:
        """The same with a fresh incarnation, which begins after `last_seq`."""
        known = (*self.incarnations, secrets.token_hex(8))[-INCARNATIONS_KEPT:]
        return Identity(self.stream, known, self.migrated, last_seq)

    def strangers(self, seen: Iterable[str]) -> list[str]:
        """Incarnations of this stream that somebody has seen and this outbox has not been."""
        return [one for one in seen if one and one not in self.incarnations]


class Succession(msgspec.Struct, frozen=True):
    """A request to the writer: say in a gap event that `stream` is over, with what was not delivered of it.

    With `renew` the outbox holds a copy of that stream, and goes on as a new one.
    """

    stream: str
    first: int
    last: int
    why: str
    renew: bool

    def named(self) -> tuple[int, int]:
        """The numbers that the gap event names, in order and within bounds."""
        last = min(max(self.last, 1), MAX_SEQ)
        return min(max(self.first, 1), last), last


def new_identity(migrated: bool = False) -> Identity:
    """A stream that nobody has seen, not started yet."""
    return Identity(str(uuid.uuid4()), (), migrated)


def read_identity(db: sqlite3.Connection) -> Identity | None:
    """The identity in an outbox; None where it has none yet, or none that can be read."""
    note = read_note(db, "identity")
    if note is None:
        return None
    try:
        identity = msgspec.json.decode(note, type=Identity)
    except UNREADABLE:
        return None
    return identity if identity.stream and identity.incarnations else None


def write_identity(db: sqlite3.Connection, identity: Identity) -> None:
    """Remember it in the outbox."""
    write_note(db, "identity", msgspec.json.encode(identity).decode())


def read_origin(db: sqlite3.Connection) -> Origin | None:
    """Whose events an outbox holds: as noted, or else as the latest one says; None where none does."""
    note = read_note(db, "origin")
    try:
        if note is not None:
            return msgspec.json.decode(note, type=Origin)
        for (body,) in db.execute("SELECT body FROM events ORDER BY seq DESC LIMIT 1"):
            envelope = open_envelope(body)
            return Origin(envelope.site, envelope.device)
    except (*UNREADABLE, PayloadError, TypeError):
        pass
    return None


def write_origin(db: sqlite3.Connection, origin: Origin) -> None:
    """Remember whose events are in the outbox."""
    write_note(db, "origin", msgspec.json.encode(origin).decode())


def begin(db: sqlite3.Connection, high_water: HighWater, *, is_new: bool) -> tuple[Identity, str]:
    """The identity with which a writer starts on an opened outbox, noted in it and beside it.

    An outbox from before streams had names gets one that goes on with its numbers. Returns with it the stream
    that this outbox turned out to be an old copy of ("" for none): the mark beside the outbox knows a later
    start, or a later stream, than the outbox itself.
    """
    beside = high_water.identity
    found = read_identity(db)
    copied = ""
    if found is None and beside.stream:
        found = Identity(beside.stream, beside.incarnations, beside.migrated)
    elif found is None:
        found = new_identity(migrated=not is_new)
    elif beside.stream and (beside.stream != found.stream or found.strangers(beside.incarnations[-1:])):
        copied = found.stream
    identity = found.started(int(read_note(db, "last_seq") or 0))
    write_identity(db, identity)
    high_water.name(identity.stream, identity.incarnations, identity.migrated)
    return identity, copied


def request(db: sqlite3.Connection, succession: Succession) -> None:
    """Ask the writer for it; the latest request holds."""
    write_note(db, "succession", msgspec.json.encode(succession).decode())


def requested(db: sqlite3.Connection) -> Succession | None:
    """What the writer was asked for, or None. A request that cannot be read is none."""
    note = read_note(db, "succession")
    if not note:
        return None
    try:
        return msgspec.json.decode(note, type=Succession)
    except UNREADABLE:
        return None


def answered(db: sqlite3.Connection) -> None:
    """The request has been met."""
    write_note(db, "succession", "")
