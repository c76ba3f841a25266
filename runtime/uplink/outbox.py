"""The outbox: facts become events on disk, in groups, with a gapless `seq`.

`append` numbers facts and hands them to a thread that commits them in groups: one fsync for up to
`group_events` events, no later than `group_delay_s` after the first. What a power cut can cost is what was
appended and not yet committed: at most two groups (one on its way to the disk, one filling). With
`group_events=1` append returns once the event is on disk. Nobody hears of an event before that: `on_commit`
tells.

A `seq` that was never committed was never seen by anyone and is used again after a restart.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from runtime.store.facts import Fact
from runtime.uplink import outbox_file
from runtime.uplink.errors import OutboxError
from runtime.uplink.events import DROP_RANK, Origin, gap_of_stream, seal
from runtime.uplink.identity import COPIED, Identity, Succession, answered, begin, requested, write_identity
from runtime.uplink.losses import DISK_REFUSED, Losses
from runtime.uplink.outbox_file import HighWater, Row
from runtime.uplink.outbox_repair import (
    find_damage,
    note_progress,
    open_for_writing,
    replace_damaged,
    suspicion,
)
from runtime.uplink.outbox_room import ROWS_AT_ONCE, delivered, drop_hopeless, make_room, purge_delivered
from runtime.uplink.outbox_watch import FileKeeper, finish
from runtime.uplink.ranges import SeqRanges
from runtime.uplink.succession import renew

log = logging.getLogger(__name__)

MAX_WAITING = 20_000
"""While the disk refuses writes, so many events are in memory, those that the writer tries with included;
beyond that the lowest rank goes."""
DROPPED_AT_ONCE = 1_000
RETRY_S = 1.0
HOUSEKEEPING_S = 10.0
LOOK_S = 0.5
"""How often the writer looks for a request of the sending end."""


class OutboxLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a power cut may cost (`group_*`), how big the file may grow, how long sent events stay."""

    group_events: int = 256
    group_delay_s: float = 0.02
    max_bytes: int = 512 * 1024 * 1024
    keep_s: float = 7 * 86_400.0


class OutboxState(msgspec.Struct, frozen=True, kw_only=True):
    """Figures for health: `fault` is empty while the disk takes what it is given.

    Every number after `committed_seq` is `waiting` in memory, the writer's hand included, or `dropped`.
    """

    appended_seq: int
    committed_seq: int
    waiting: int
    used_bytes: int
    dropped: int
    fault: str


class Outbox:
    """The writing end; one per file, whoever comes second is refused.

    `clock` gives UTC seconds that never step back. `on_commit(seq)` is called from the writer thread.
    """

    def __init__(
        self,
        path: Path,
        origin: Origin,
        limits: OutboxLimits | None = None,
        *,
        clock: Callable[[], float] = time.time,
        on_commit: Callable[[int], None] | None = None,
    ) -> None:
        self.path = path
        self._origin = origin
        self._limits = limits or OutboxLimits()
        self._clock = clock
        self._on_commit = on_commit
        lock_file = outbox_file.claim(path)
        self._changed = threading.Condition()
        self._waiting: list[Row] = []
        self._in_hand: list[Row] = []
        self._waiting_since_s = 0.0
        self._fault = ""
        self._closing = False
        self._hurry = False
        self._dropped = 0
        self._misplaced = False
        finish(path, clock())
        self._high_water = HighWater(path)
        self._db = open_for_writing(path, self._high_water, clock())
        self._losses = Losses.from_note(outbox_file.read_note(self._db, "losses"))
        self._appended = self._committed = int(outbox_file.read_note(self._db, "last_seq") or 0)
        self._before = delivered(self._db)
        self._identity = self._begin()
        self._keeper = FileKeeper(path, self._high_water, lock_file)
        self._used_bytes = outbox_file.used_bytes(self._db)
        self._housekeeping_due_s = self._look_due_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    @property
    def stream(self) -> str:
        """The name of the stream that is written."""
        with self._changed:
            return self._identity.stream

    def append(self, facts: Sequence[Fact]) -> int:
        """Number `facts` and give them to the disk; returns the last `seq` handed out so far.

        Waits while two groups are already under way. While the disk refuses writes it does not wait: up to
        MAX_WAITING events are held in memory. Raises OutboxError after `close`.
        """
        with self._changed:
            for fact in facts:
                self._changed.wait_for(lambda: self._has_room() or self._closing)
                if self._closing:
                    raise OutboxError(f"{self.path}: the outbox is closed")
                self._take(fact)
            seq = self._appended
            if self._limits.group_events == 1:
                on_disk = self._on_disk(seq)
                self._changed.wait_for(lambda: on_disk() or bool(self._fault) or self._closing)
        return seq

    def lose(self, kinds: Mapping[str, int]) -> None:
        """Number so many facts of each kind that could not be kept; a gap event will name them."""
        with self._changed:
            for kind, count in kinds.items():
                self._losses.add(DISK_REFUSED, self._appended + 1, self._appended + count, kind)
                self._appended += count
                self._dropped += count
            self._changed.notify_all()

    def flush(self, timeout_s: float = 10.0) -> int:
        """Wait until all that was appended is on disk, at most `timeout_s`; returns the last seq on disk."""
        with self._changed:
            goal = self._appended
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(self._on_disk(goal), timeout_s)
            return self._committed

    def _on_disk(self, seq: int) -> Callable[[], bool]:
        """Whether number `seq` of the present stream is on disk; a stream that ends takes all with it."""
        stream = self._identity.stream
        return lambda: self._committed >= seq or self._identity.stream != stream

    def state(self) -> OutboxState:
        """Figures for health."""
        with self._changed:
            return OutboxState(
                appended_seq=self._appended,
                committed_seq=self._committed,
                waiting=self._in_memory(),
                used_bytes=self._used_bytes,
                dropped=self._dropped,
                fault=self._fault,
            )

    def close(self, timeout_s: float = 5.0) -> None:
        """Commit what is waiting and let go of the file. What the disk refuses for `timeout_s` is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._db.close()
        self._keeper.lock_file.close()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _begin(self) -> Identity:
        """Who writes here from now on; an old copy, put back beside the mark of a newer one, begins anew."""
        is_new = self._appended == 0 and self._high_water.value == 0
        try:
            identity, copied = begin(self._db, self._high_water, is_new=is_new)
            if copied:
                last = max(self._high_water.value, self._appended)
                wish = Succession(copied, self._before.prefix_end() + 1, last, COPIED, True)
                identity = self._renew(identity, wish)
        except sqlite3.OperationalError as error:
            raise OutboxError(
                f"{self.path}: the outbox cannot be used ({error}); check the disk it is on"
            ) from error
        except OSError as error:
            raise OutboxError(
                f"{self._high_water.path}: cannot be written ({error.strerror}); check the disk it is on"
            ) from error
        return identity

    def _renew(self, old: Identity, wish: Succession) -> Identity:
        """Go on as a new stream, with all that was not delivered when this writer started."""
        identity, last_seq = renew(
            self._db,
            self._high_water,
            old,
            wish,
            origin=self._origin,
            before=self._before,
            waiting=self._waiting,
            losses=self._losses,
            now_s=self._clock(),
        )
        self._waiting, self._losses, self._before = [], Losses(), SeqRanges()
        self._appended = self._committed = last_seq
        log.error("%s: %s: stream %s goes on as %s", self.path, wish.why, wish.stream, identity.stream)
        return identity

    def _succeed(self) -> None:
        """Follow a request of the sending end: it has met another copy of this outbox, or an earlier one."""
        wish = requested(self._db)
        if wish is None:
            return
        with self._changed:
            if wish.renew and wish.stream == self._identity.stream:
                first, last = self._before.prefix_end() + 1, max(wish.last, self._appended)
                wish = msgspec.structs.replace(wish, first=first, last=last)
                self._identity = self._renew(self._identity, wish)
            else:
                if not wish.renew:
                    self._take(gap_of_stream(wish.stream, *wish.named(), wish.why, self._clock()))
                answered(self._db)
            last_seq = self._committed
            self._changed.notify_all()
        if self._on_commit is not None:
            self._on_commit(last_seq)

    def _has_room(self) -> bool:
        a_group_fits = len(self._waiting) < self._limits.group_events
        return bool(self._fault) or (a_group_fits and self._in_memory() < MAX_WAITING)

    def _in_memory(self) -> int:
        return len(self._waiting) + len(self._in_hand)

    def _take(self, fact: Fact) -> None:
        if not self._waiting:
            self._waiting_since_s = time.monotonic()
        seq = self._appended + 1
        body = seal(fact, self._origin, seq, self._clock(), self._identity.stream)
        self._waiting.append(Row(seq, DROP_RANK[fact.kind], fact.kind, fact.time_s, body))
        self._appended = seq
        if self._in_memory() > MAX_WAITING:
            self._drop_some_waiting()
        if len(self._waiting) in (1, self._limits.group_events):
            self._changed.notify_all()

    def _drop_some_waiting(self) -> None:
        by_rank = sorted(self._waiting, key=lambda row: (row.rank, row.seq))
        dropped, kept = by_rank[:DROPPED_AT_ONCE], by_rank[DROPPED_AT_ONCE:]
        for row in dropped:
            self._losses.add(DISK_REFUSED, row.seq, row.seq, row.kind)
        self._waiting = sorted(kept)
        self._dropped += len(dropped)

    def _run(self) -> None:
        try:
            while self._do_a_round():
                pass
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify_all()

    def _do_a_round(self) -> bool:
        """Wait for something to do and do it; False once the outbox is closed."""
        with self._changed:
            self._wait_for_work()
            if self._losses and not self._fault:
                self._take_gaps()
            last_seq = self._take_in_hand()
            losses, closing = self._losses.up_to(last_seq), self._closing
            self._changed.notify_all()
        if not self._keep_files(closing):
            return not closing
        if self._in_hand:
            self._commit(self._in_hand, last_seq, losses)
        if not closing:
            self._keep_house()
        return not closing

    def _take_in_hand(self) -> int:
        """Take what is to be written now; returns the number up to which all will be on disk or dropped.

        A disk that refuses is tried with one group: what stays waiting can still be chosen from when the
        memory is full.
        """
        refused = self._fault and not self._closing
        taken = self._limits.group_events if refused else len(self._waiting)
        self._in_hand, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return self._waiting[0].seq - 1 if self._waiting else self._appended

    def _wait_for_work(self) -> None:
        """Wait for a full group, a begun one that is old enough, a loss to tell, or housekeeping."""
        if self._fault and not self._closing:
            self._changed.wait(RETRY_S)
            return
        while not (self._closing or self._hurry or self._losses):
            now_s = time.monotonic()
            if len(self._waiting) >= self._limits.group_events:
                break
            due_s = (
                self._waiting_since_s + self._limits.group_delay_s
                if self._waiting
                else min(self._housekeeping_due_s, self._look_due_s)
            )
            if due_s <= now_s:
                break
            self._changed.wait(due_s - now_s)
        self._hurry = False

    def _take_gaps(self) -> None:
        gaps = self._losses.gaps(self._clock())
        self._losses = Losses()
        for gap in gaps:
            self._take(gap)

    def _commit(self, group: list[Row], last_seq: int, losses: Losses) -> None:
        """Write one group with the losses that no gap event has told; where the disk refuses it waits on."""
        try:
            self._high_water.cover(last_seq)
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", group)
            evicted = make_room(self._db, self._limits.max_bytes)
            losses.update(evicted)
            note_progress(self._db, last_seq, losses)
            self._used_bytes = outbox_file.used_bytes(self._db)
            self._db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._refused(error)
            return
        with self._changed:
            if self._fault:
                log.warning("%s: the disk takes writes again", self.path)
            self._fault = ""
            self._losses.update(evicted)
            self._dropped += evicted.count()
            self._committed = last_seq
            self._in_hand = []
            self._changed.notify_all()
        if self._on_commit is not None:
            self._on_commit(last_seq)

    def _refused(self, error: Exception) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        damaged = outbox_file.is_corruption(error)
        if damaged:
            self._replace(str(error))
        with self._changed:
            self._waiting[:0], self._in_hand = self._in_hand, []
            if damaged:
                return
            if not self._fault:
                log.error("%s: events cannot be written (%s); they wait in memory", self.path, error)
            self._fault = str(error)
            self._changed.notify_all()

    def _replace(self, damage: str) -> None:
        """Set the damaged file aside and go on in a new one; what only the old one held is lost, and told."""
        self._db.close()
        self._db = replace_damaged(self.path, damage, self._committed, self._clock())
        write_identity(self._db, self._identity)
        self._keeper.watch()
        self._misplaced = False
        with self._changed:
            self._losses.update(Losses.from_note(outbox_file.read_note(self._db, "losses")))

    def _look(self) -> None:
        """What the sending end asks for; what cannot be done now is tried again at the next look."""
        try:
            self._succeed()
            self._give_up_hopeless()
        except (sqlite3.Error, OSError) as error:
            log.warning("%s: a request of the sender cannot be followed now (%s)", self.path, error)

    def _give_up_hopeless(self) -> None:
        """Name in a gap what the sending end can never send."""
        if not outbox_file.read_note(self._db, "hopeless"):
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            hopeless = drop_hopeless(self._db)
            with self._changed:
                told = self._losses.up_to(self._committed)
            told.update(hopeless)
            note_progress(self._db, self._committed, told)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        with self._changed:
            self._losses.update(hopeless)
            self._dropped += hopeless.count()

    def _keep_files(self, closing: bool) -> bool:
        """Now and then: put back files that were removed or swapped; False where that cannot be done now."""
        if not (closing or self._misplaced or time.monotonic() >= self._look_due_s):
            return True
        try:
            self._db = self._keeper.look(self._db, self._clock())
        except (OutboxError, sqlite3.Error, OSError) as error:
            self._misplaced = True
            self._refused(error)
        else:
            if self._misplaced:
                self._misplaced = False
                with self._changed:
                    self._fault = ""
        return not self._misplaced

    def _keep_house(self) -> None:
        """Now and then: let go of old delivered events, a few at a time, and follow a reader's suspicion or
        request."""
        if time.monotonic() >= self._look_due_s:
            self._look_due_s = time.monotonic() + LOOK_S
            self._look()
        if time.monotonic() < self._housekeeping_due_s:
            return
        if suspicion(self.path).exists():
            suspicion(self.path).unlink()
            if (damage := find_damage(self.path)) is not None:
                self._replace(damage)
        try:
            purged = purge_delivered(self._db, self._clock() - self._limits.keep_s)
        except sqlite3.Error as error:
            log.warning("%s: old events could not be removed (%s)", self.path, error)
            purged = 0
        more = purged >= ROWS_AT_ONCE
        self._housekeeping_due_s = time.monotonic() + (0.0 if more else HOUSEKEEPING_S)
