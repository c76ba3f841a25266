"""Keeps a connection to the broker and empties the outbox through it, in a thread of its own.

A lost connection is replaced after a jittered, growing pause; whatever was not delivered goes again, read
from the outbox.
"""

from __future__ import annotations

import logging
import random
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from broker.permits import Fit, Permits
from broker.settings import BrokerSettings
from contract.envelope import Origin
from runtime.uplink.delivery.session import Session
from runtime.uplink.delivery.settings import SessionSettings
from runtime.uplink.delivery.stats import DeliveryStats
from runtime.uplink.delivery.window import DeliveryLimits
from runtime.uplink.errors import OutboxError, StreamEnded
from runtime.uplink.outbox import database
from runtime.uplink.outbox.repair import check_request
from tagsight.backoff import Backoff
from tagsight.errors import TagsightError

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
OUTBOX_PAUSE_S = 2.0
"""The longest pause where the outbox cannot be read: it may be there again at any moment."""
STEADY_S = 20.0
"""A connection that held so long, or took so long to fail, starts the pauses from the shortest again."""
ACK_TIMEOUT_S = 20.0
"""A broker that acknowledges nothing for so long is as good as gone (a half-open connection)."""
JOIN_S = 10.0
STREAM_PAUSE_S = 0.6
"""About what the writer takes to begin a new stream."""


class Sender:
    """Delivers one outbox to one broker. `start`, `wake` after a commit, `stop`; `stats` at any time."""

    def __init__(
        self,
        outbox: Path,
        origin: Origin,
        broker: BrokerSettings,
        *,
        clock: Callable[[], float] = time.time,
        limits: DeliveryLimits | None = None,
        ack_timeout_s: float = ACK_TIMEOUT_S,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._settings = SessionSettings(
            outbox, origin, broker, limits or DeliveryLimits(), clock, ack_timeout_s, Permits(), Fit()
        )
        self._first_pause_s = first_pause_s
        self._stats = DeliveryStats(progress_s=clock())
        self._stopping = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        """Begin to connect and deliver."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new in the outbox."""
        with suppress(BlockingIOError):
            self._wake_writer.send(b"\0")

    def stats(self) -> DeliveryStats:
        """What was done so far and where delivery stands: a copy."""
        return replace(self._stats, held_kinds=dict(self._stats.held_kinds))

    def drain(self, timeout_s: float, last_seq: int = 0) -> bool:
        """Wait until all up to `last_seq` and all that is known is delivered; False where time ran out."""
        deadline_s = time.monotonic() + timeout_s
        self.wake()
        while time.monotonic() < deadline_s:
            stats = self._stats
            if stats.last_seq >= last_seq and stats.backlog == 0 and stats.connects:
                return True
            time.sleep(0.01)
        return False

    def is_alive(self) -> bool:
        """The thread runs; it ends only by `stop` or by a fault of the program."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float = JOIN_S) -> None:
        """Say goodbye to the broker and end; a connection attempt under way is not waited for beyond that."""
        self._stopping.set()
        self.wake()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        backoff = Backoff(random.Random(), self._first_pause_s, LONGEST_PAUSE_S, stable_s=STEADY_S)
        while not self._stopping.is_set():
            backoff.worked(time.monotonic())
            learned = self._settings.fit.learned()
            try:
                Session(self._settings, self._stats, self._stopping, self._wake_reader).serve()
            except StreamEnded as error:
                log.warning("uplink: %s", error)
                self._stats.detail = str(error)
                self._stopping.wait(STREAM_PAUSE_S)
                continue
            except (OutboxError, sqlite3.Error, OSError) as error:
                self._note(error)
                if database.is_corruption(error):
                    # Where the disk takes no file either, the writer finds the damage by itself.
                    with suppress(OSError):
                        check_request(self._settings.outbox).touch()
                # It is our own disk: nobody is spared by a longer pause.
                self._stopping.wait(min(backoff.failed(), OUTBOX_PAUSE_S))
                continue
            except TagsightError as error:
                self._note(error)
            backoff.worked(time.monotonic())
            pause_s = backoff.failed()
            has_learned = self._settings.fit.learned() != learned
            self._stopping.wait(self._first_pause_s if has_learned else pause_s)

    def _note(self, error: Exception) -> None:
        if str(error) != self._stats.detail:
            log.warning("uplink: %s", error)
        self._stats.detail = str(error)
