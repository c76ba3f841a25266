"""The outbox: facts become events on disk, in groups, with a gapless `seq`.

`append` numbers facts and hands them to a thread that commits them in groups: one fsync for up to
`group_events` events, no later than `group_delay_s` after the first. What a power cut can cost is what was
appended and not yet committed: at most two groups (one on its way to the disk, one filling). With
`group_events=1` append returns once the event is on disk. Nobody is told of an event before that: `on_commit`
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

from contract.envelope import Origin
from contract.facts import Fact
from contract.gaps import gap_of_stream
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox import database
from runtime.uplink.outbox.database import Row
from runtime.uplink.outbox.disk import OutboxDisk
from runtime.uplink.outbox.limits import OutboxLimits, OutboxState
from runtime.uplink.outbox.losses import Losses
from runtime.uplink.outbox.memory import Memory

log = logging.getLogger(__name__)

RETRY_S = 1.0
HOUSEKEEPING_S = 10.0
LOOK_S = 0.5
"""How often the writer looks for a request of the sending end."""


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
        self._limits = limits or OutboxLimits()
        self._clock = clock
        self._on_commit = on_commit
        self._changed = threading.Condition()
        self._fault = ""
        self._closing = self._hurry = self._misplaced = False
        self.disk = OutboxDisk(path, origin, self._limits.max_bytes, self._limits.keep_s, clock)
        self._memory = Memory(origin, clock, self.disk.stream, self.disk.last_seq, self.disk.losses)
        self._committed = self.disk.last_seq
        self._used_bytes = self.disk.used_bytes
        self._housekeeping_due_s = self._look_due_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    @property
    def stream(self) -> str:
        """The name of the stream that is written."""
        with self._changed:
            return self._memory.stream

    def append(self, facts: Sequence[Fact]) -> int:
        """Number `facts` and give them to the disk; returns the last `seq` handed out so far.

        Waits while two groups are already under way. While the disk refuses writes it does not wait: up to
        MAX_WAITING events are held in memory. Raises OutboxError after `close`.
        """
        with self._changed:
            for fact in facts:
                if not self._has_room():
                    self._changed.wait_for(lambda: self._has_room() or self._closing)
                if self._closing:
                    raise OutboxError(f"{self.path}: the outbox is closed")
                self._take(fact)
            seq = self._memory.appended
            if self._limits.group_events == 1:
                on_disk = self._on_disk(seq)
                self._changed.wait_for(lambda: on_disk() or bool(self._fault) or self._closing)
        return seq

    def lose(self, kinds: Mapping[str, int]) -> None:
        """Number so many facts of each kind that could not be kept; a gap event will name them."""
        with self._changed:
            self._memory.lose(kinds)
            self._changed.notify_all()

    def flush(self, timeout_s: float = 10.0) -> int:
        """Wait until all that was appended is on disk, at most `timeout_s`; returns the last seq on disk."""
        with self._changed:
            goal = self._memory.appended
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(self._on_disk(goal), timeout_s)
            return self._committed

    def _on_disk(self, seq: int) -> Callable[[], bool]:
        """Whether number `seq` of the present stream is on disk; a stream that ends takes all with it."""
        stream = self._memory.stream
        return lambda: self._committed >= seq or self._memory.stream != stream

    def state(self) -> OutboxState:
        """Figures for health."""
        with self._changed:
            return OutboxState(
                appended_seq=self._memory.appended,
                committed_seq=self._committed,
                waiting=len(self._memory),
                used_bytes=self._used_bytes,
                dropped=self._memory.dropped,
                fault=self._fault,
            )

    def close(self, timeout_s: float = 5.0) -> None:
        """Commit what is waiting and let go of the file. What the disk refuses for `timeout_s` is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        self.disk.close(is_idle=not self._thread.is_alive())

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _succeed(self) -> None:
        """Follow a request of the sending end: it has met another copy of this outbox, or an earlier one."""
        wish = self.disk.requested()
        if wish is None:
            return
        with self._changed:
            if wish.renew and wish.stream == self._memory.stream:
                memory = self._memory
                self.disk.renew(wish, memory.appended, memory.waiting, memory.losses)
                memory.renewed(self.disk.stream, self.disk.last_seq)
                self._committed = self.disk.last_seq
            else:
                if not wish.renew:
                    self._take(gap_of_stream(wish.stream, *wish.named(), wish.why, self._clock()))
                self.disk.answered()
            last_seq = self._committed
            self._changed.notify_all()
        if self._on_commit is not None:
            self._on_commit(last_seq)

    def _has_room(self) -> bool:
        memory = self._memory
        if self._fault:
            return True
        return len(memory.waiting) < self._limits.group_events and not memory.is_full()

    def _take(self, fact: Fact) -> None:
        self._memory.take(fact)
        waiting = len(self._memory.waiting)
        if waiting in (1, self._limits.group_events):
            self._changed.notify_all()

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
            if self._memory.losses and not self._fault:
                for gap in self._memory.told():
                    self._take(gap)
            refused = bool(self._fault) and not self._closing
            last_seq = self._memory.hand_over(self._limits.group_events if refused else None)
            losses, closing = self._memory.losses.up_to(last_seq), self._closing
            self._changed.notify_all()
        if not self._keep_files(closing):
            return not closing
        if self._memory.in_hand:
            self._commit(self._memory.in_hand, last_seq, losses)
        if not closing:
            self._maintain()
        return not closing

    def _wait_for_work(self) -> None:
        """Wait for a full group, a begun one that is old enough, a loss to tell, or housekeeping."""
        if self._fault and not self._closing:
            self._changed.wait(RETRY_S)
            return
        while not (self._closing or self._hurry or self._memory.losses):
            now_s = time.monotonic()
            if len(self._memory.waiting) >= self._limits.group_events:
                break
            due_s = (
                self._memory.waiting_since_s + self._limits.group_delay_s
                if self._memory.waiting
                else min(self._housekeeping_due_s, self._look_due_s)
            )
            if due_s <= now_s:
                break
            self._changed.wait(due_s - now_s)
        self._hurry = False

    def _commit(self, group: list[Row], last_seq: int, losses: Losses) -> None:
        """Write one group with the losses that no gap event has told; where the disk refuses it waits on."""
        try:
            evicted = self.disk.write(group, last_seq, losses)
        except (sqlite3.Error, OSError) as error:
            self._refused(error)
            return
        with self._changed:
            if self._fault:
                log.warning("%s: the disk takes writes again", self.path)
            self._fault, self._used_bytes = "", self.disk.used_bytes
            self._memory.losses.update(evicted)
            self._memory.dropped += evicted.count()
            self._committed = last_seq
            self._memory.in_hand = []
            self._changed.notify_all()
        if self._on_commit is not None:
            self._on_commit(last_seq)

    def _refused(self, error: Exception) -> None:
        self.disk.roll_back()
        damaged = database.is_corruption(error)
        if damaged:
            self._replace(str(error))
        with self._changed:
            self._memory.take_back()
            if damaged:
                return
            if not self._fault:
                log.error("%s: events cannot be written (%s); they wait in memory", self.path, error)
            self._fault = str(error)
            self._changed.notify_all()

    def _replace(self, damage: str) -> None:
        """Set the damaged file aside and go on in a new one; what only the old one held is lost, and told."""
        lost = self.disk.replace(damage)
        self._misplaced = False
        with self._changed:
            self._memory.losses.update(lost)

    def _look(self) -> None:
        """What the sending end asks for; what cannot be done now is tried again at the next look."""
        try:
            self._succeed()
            self._give_up_hopeless()
        except (sqlite3.Error, OSError) as error:
            log.warning("%s: a request of the sender cannot be followed now (%s)", self.path, error)

    def _give_up_hopeless(self) -> None:
        """Name in a gap what the sending end can never send."""
        with self._changed:
            untold = self._memory.losses.up_to(self._committed)
        hopeless = self.disk.give_up_hopeless(untold)
        with self._changed:
            self._memory.losses.update(hopeless)
            self._memory.dropped += hopeless.count()

    def _keep_files(self, closing: bool) -> bool:
        """Now and then: put back files that were removed or swapped; False where that cannot be done now."""
        if not (closing or self._misplaced or time.monotonic() >= self._look_due_s):
            return True
        try:
            self.disk.put_files_back()
        except (OutboxError, sqlite3.Error, OSError) as error:
            self._misplaced = True
            self._refused(error)
        else:
            if self._misplaced:
                self._misplaced = False
                with self._changed:
                    self._fault = ""
        return not self._misplaced

    def _maintain(self) -> None:
        """Now and then: let go of some old delivered events, follow what a reader doubts or asks for."""
        if time.monotonic() >= self._look_due_s:
            self._look_due_s = time.monotonic() + LOOK_S
            self._look()
        if time.monotonic() < self._housekeeping_due_s:
            return
        if (damage := self.disk.suspected_damage()) is not None:
            self._replace(damage)
        more = self.disk.purge()
        self._housekeeping_due_s = time.monotonic() + (0.0 if more else HOUSEKEEPING_S)
