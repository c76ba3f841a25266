"""An outbox that may not open yet: the disk is full or read-only, or its file is not ours to write.

Facts wait in memory meanwhile, without a number, and get theirs in the order in which they came once the
outbox is open. The memory is bounded as the outbox's own is; what it cannot hold gets numbers too, which a
gap event names.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from contract.facts import Fact
from runtime.uplink.errors import OutboxError
from runtime.uplink.outbox.limits import OutboxState
from runtime.uplink.outbox.losses import DROP_RANK
from runtime.uplink.outbox.memory import DROPPED_AT_ONCE, MAX_WAITING
from runtime.uplink.outbox.writer import Outbox
from tagsight.errors import TagsightError

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 10.0
HANDED_OVER_AT_ONCE = 200

log = logging.getLogger(__name__)


class OpeningOutbox:
    """The outbox that `open_it` opens, usable from the first moment; tried again until it opens.

    `open_it` raises TagsightError, sqlite3.Error or OSError where it cannot. It may be called in a thread.
    """

    def __init__(self, open_it: Callable[[], Outbox]) -> None:
        self._open_it = open_it
        self._changed = threading.Condition()
        self._outbox: Outbox | None = None
        self._handed_over = False
        self._held: list[Fact] = []
        self._lost: Counter[str] = Counter()
        self._fault = ""
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        if self._try():
            self._handed_over = True
        else:
            self._thread = threading.Thread(target=self._run, name="outbox opening", daemon=True)
            self._thread.start()

    @property
    def opened(self) -> bool:
        """Whether the file is open; `state().fault` says why it is not."""
        return self._outbox is not None

    def append(self, facts: Sequence[Fact]) -> None:
        """Give facts to the disk, or keep them until there is one. Raises OutboxError after `close`."""
        with self._changed:
            # Once it is open it takes what waits faster than more can come, or has a fault and takes all.
            self._changed.wait_for(self._takes)
            if not self._handed_over:
                if self._closing.is_set():
                    raise OutboxError("the outbox is closed")
                self._hold(facts)
                return
        assert self._outbox is not None
        self._outbox.append(facts)

    def state(self) -> OutboxState:
        """Figures for health; what waits for the file to open counts as waiting."""
        with self._changed:
            outbox, held, lost = self._outbox, len(self._held), self._lost.total()
        if outbox is None:
            return OutboxState(
                appended_seq=0, committed_seq=0, waiting=held, used_bytes=0, dropped=lost, fault=self._fault
            )
        state = outbox.state()
        return state if not held else _with_held(state, held)

    def flush(self, timeout_s: float = 10.0) -> int:
        """Wait until all is on disk, at most `timeout_s`; returns the last seq on disk, 0 without a file."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return 0 if self._outbox is None else self._outbox.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Commit what is waiting and let go of the file. What the disk refuses for `timeout_s` is lost."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        if self._outbox is not None:
            self._outbox.close(timeout_s)
        elif self._held or self._lost:
            count = len(self._held) + self._lost.total()
            log.error("%d events are lost with this process: %s", count, self._fault)

    def _takes(self) -> bool:
        return self._outbox is None or self._handed_over or len(self._held) < MAX_WAITING

    def _run(self) -> None:
        """Try until it opens; once more when told to close."""
        pause_s = FIRST_RETRY_S
        while True:
            self._closing.wait(pause_s)
            began_s = time.monotonic()
            if self._try():
                self._hand_over()
                return
            if self._closing.is_set():
                return
            # Looking at a large file takes a while: most of the time is not for that.
            pause_s = min(LONGEST_RETRY_S, max(2 * pause_s, 2 * (time.monotonic() - began_s)))

    def _try(self) -> bool:
        try:
            outbox = self._open_it()
        except (TagsightError, sqlite3.Error) as error:
            why = str(error)
        except OSError as error:
            why = f"{error.filename or 'the outbox'}: {error.strerror or error}"
        else:
            self._outbox = outbox
            return True
        if why != self._fault:
            log.error("%s; events wait in memory", why)
            self._fault = why
        return False

    def _hand_over(self) -> None:
        """All that was held goes to the outbox, in order, before anything newer does."""
        assert self._outbox is not None
        with self._changed:
            count, lost, self._lost = len(self._held), self._lost, Counter()
        self._outbox.lose(lost)
        log.warning("%s: open; %d events waited for it", self._outbox.path, count)
        while True:
            with self._changed:
                some = self._held[:HANDED_OVER_AT_ONCE]
                if not some:
                    self._handed_over = True
                    self._changed.notify_all()
                    return
            self._outbox.append(some)
            with self._changed:
                del self._held[: len(some)]
                self._changed.notify_all()

    def _hold(self, facts: Sequence[Fact]) -> None:
        self._held.extend(facts)
        if len(self._held) <= MAX_WAITING or self._outbox is not None:
            return
        by_rank = sorted(range(len(self._held)), key=lambda at: (DROP_RANK[self._held[at].kind], at))
        dropped = set(by_rank[:DROPPED_AT_ONCE])
        self._lost.update(self._held[at].kind for at in dropped)
        self._held = [fact for at, fact in enumerate(self._held) if at not in dropped]


def _with_held(state: OutboxState, held: int) -> OutboxState:
    """While what was held is being handed over, it waits too."""
    return OutboxState(
        appended_seq=state.appended_seq,
        committed_seq=state.committed_seq,
        waiting=state.waiting + held,
        used_bytes=state.used_bytes,
        dropped=state.dropped,
        fault=state.fault,
    )
