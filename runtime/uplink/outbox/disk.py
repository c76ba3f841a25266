"""The disk's side of the outbox: the database, the mark beside it, whose stream they are, who may write.

Nothing here is shared between threads: the writer's thread calls, after the one that opened it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from contract.envelope import Origin
from contract.ranges import SeqRanges
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox import database
from runtime.uplink.outbox.database import HighWater, Row
from runtime.uplink.outbox.identity import (
    COPIED,
    RENAMED,
    Succession,
    answered,
    begin,
    read_origin,
    requested,
    write_identity,
    write_origin,
)
from runtime.uplink.outbox.losses import Losses
from runtime.uplink.outbox.repair import (
    check_request,
    find_damage,
    note_progress,
    open_for_writing,
    replace_damaged,
)
from runtime.uplink.outbox.room import ROWS_AT_ONCE, delivered, drop_hopeless, make_room, purge_delivered
from runtime.uplink.outbox.succession import renew
from runtime.uplink.outbox.watch import FileKeeper, finish

log = logging.getLogger(__name__)


class OutboxDisk:
    """What lies at `path`, opened to be written by this process alone.

    `losses` is what no gap event had told when it was opened, `last_seq` the last number on it. Raises
    OutboxError where it cannot be used.
    """

    def __init__(
        self, path: Path, origin: Origin, max_bytes: int, keep_s: float, clock: Callable[[], float]
    ) -> None:
        self._path = path
        self._origin = origin
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._clock = clock
        lock_file = database.claim(path)
        finish(path, clock())
        self._high_water = HighWater(path)
        self.db = open_for_writing(path, self._high_water, clock())
        self.losses = Losses.from_note(database.read_note(self.db, "losses"))
        self.last_seq = int(database.read_note(self.db, "last_seq") or 0)
        self._before = delivered(self.db)
        self._begin()
        self.keeper = FileKeeper(path, self._high_water, lock_file)
        self.used_bytes = database.used_bytes(self.db)

    @property
    def stream(self) -> str:
        """The name of the stream that is written."""
        return self._identity.stream

    def _begin(self) -> None:
        """Who writes here from now on. An old copy, put back beside the mark of a newer one, begins anew, and
        so does the outbox of a device with another name: events go by the name that they bear."""
        is_new = self.last_seq == 0 and self._high_water.value == 0
        try:
            former = read_origin(self.db)
            self._identity, copied = begin(self.db, self._high_water, is_new=is_new)
            wish = None
            if copied:
                wish = Succession(copied, 1, max(self._high_water.value, self.last_seq), COPIED, True)
            elif former not in (None, self._origin):
                wish = Succession(self.stream, 1, self.last_seq, RENAMED % former, True)
            if wish is not None:
                self.renew(wish, self.last_seq, (), self.losses)
                self.losses = Losses()
            elif former is None:
                write_origin(self.db, self._origin)
        except sqlite3.OperationalError as error:
            raise OutboxError(
                f"{self._path}: the outbox cannot be used ({error}); check the disk it is on"
            ) from error
        except OSError as error:
            raise OutboxError(
                f"{self._high_water.path}: cannot be written ({error.strerror}); check the disk it is on"
            ) from error

    def renew(self, wish: Succession, appended: int, waiting: Sequence[Row], losses: Losses) -> None:
        """Go on as a new stream, with all that was not delivered when this writer started.

        `waiting` is not on disk yet, `losses` no gap event has told. Raises sqlite3.Error or OSError where
        the disk refuses; all is then as it was.
        """
        old = self._identity
        wish = msgspec.structs.replace(
            wish, first=self._before.prefix_end() + 1, last=max(wish.last, appended)
        )
        self._identity, self.last_seq = renew(
            *(self.db, self._high_water, old, wish),
            origin=self._origin,
            before=self._before,
            waiting=waiting,
            losses=losses,
            now_s=self._clock(),
        )
        self._before = SeqRanges()
        log.error("%s: %s: stream %s goes on as %s", self._path, wish.why, wish.stream, self.stream)

    def requested(self) -> Succession | None:
        """What the sending end asks for: it has met another copy of this outbox, or an earlier one."""
        return requested(self.db)

    def answered(self) -> None:
        """The request has been met."""
        answered(self.db)

    def write(self, group: Sequence[Row], last_seq: int, losses: Losses) -> Losses:
        """Write one group with what no gap event has told; returns what had to go to make room.

        Raises sqlite3.Error or OSError where the disk refuses; nothing of the group is written then.
        """
        try:
            self._high_water.cover(last_seq)
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", group)
            evicted = make_room(self.db, self._max_bytes)
            losses.update(evicted)
            note_progress(self.db, last_seq, losses)
            self.used_bytes = database.used_bytes(self.db)
            self.db.execute("COMMIT")
        except (sqlite3.Error, OSError):
            self.roll_back()
            raise
        self.last_seq = last_seq
        return evicted

    def roll_back(self) -> None:
        """End a transaction that the disk has refused."""
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    def replace(self, damage: str) -> Losses:
        """Set the damaged file aside and go on in a new one; returns what only the old one held."""
        self.db.close()
        self.db = replace_damaged(self._path, damage, self.last_seq, self._clock())
        write_identity(self.db, self._identity)
        write_origin(self.db, self._origin)
        self.keeper.watch()
        return Losses.from_note(database.read_note(self.db, "losses"))

    def give_up_hopeless(self, untold: Losses) -> Losses:
        """Delete what the sending end can never send; returns it, noted with the `untold` losses."""
        if not database.read_note(self.db, "hopeless"):
            return Losses()
        self.db.execute("BEGIN IMMEDIATE")
        try:
            hopeless = drop_hopeless(self.db)
            untold.update(hopeless)
            note_progress(self.db, self.last_seq, untold)
            self.db.execute("COMMIT")
        except BaseException:
            self.roll_back()
            raise
        return hopeless

    def put_files_back(self) -> None:
        """Put back files that were removed or swapped. Raises OutboxError, sqlite3.Error or OSError."""
        self.db = self.keeper.look(self.db, self._clock())

    def suspected_damage(self) -> str | None:
        """What is wrong with the file, where a reader has asked to look; None where nothing is."""
        if not check_request(self._path).exists():
            return None
        check_request(self._path).unlink()
        return find_damage(self._path)

    def purge(self) -> bool:
        """Delete old delivered events, some at a time; True where there may be more."""
        try:
            return purge_delivered(self.db, self._clock() - self._keep_s) >= ROWS_AT_ONCE
        except sqlite3.Error as error:
            log.warning("%s: old events could not be removed (%s)", self._path, error)
            return False

    def close(self, is_idle: bool) -> None:
        """Let others write here. The database stays open where a thread still works on it."""
        if is_idle:
            self.db.close()
        self.keeper.lock_file.close()
