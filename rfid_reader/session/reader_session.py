"""A reader session that never sticks: connect, configure, read; on any fault start over.

`ReaderSession` owns one thread and one reader. Every fault (refusal, silence, a drop in the middle of a
frame, bytes that are not LLRP) ends the connection and starts a fresh one; attempts are spaced by a
jittered, growing wait; reads of whole frames before the fault are always delivered. Several sessions do not
share anything.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from rfid_reader.errors import LlrpFrameError, ReaderError, ReaderSettingsError
from rfid_reader.llrp.capabilities import Capabilities
from rfid_reader.reads import ReadTable
from rfid_reader.session.batcher import MAX_BATCH_READS, ReadBatcher
from rfid_reader.session.connection import Connection
from rfid_reader.session.health import RateMeter, ReaderHealth
from rfid_reader.session.protocol_handler import ReaderEvent
from rfid_reader.session.remarks import NO_PHASE
from rfid_reader.settings import ReaderSettings
from tagsight.backoff import BEYOND, Backoff

__all__ = ["MAX_BATCH_READS", "ReaderSession"]
POLL_S = 0.05


class ReaderSession:
    """Reads one reader in a thread of its own.

    on_reads is called from that thread with every batch (at most MAX_BATCH_READS reads, at least every
    `Timing.batch_s` while reads come); an exception in it ends the session and is kept in `failure`.
    clock gives host time in UTC seconds. A setting the reader cannot fulfil is reported in health and tried
    again (the reader may be swapped) every `Timing.settings_retry_s`.
    """

    def __init__(
        self,
        settings: ReaderSettings,
        on_reads: Callable[[ReadTable], None],
        *,
        clock: Callable[[], float] = time.time,
        seed: int | None = None,
    ) -> None:
        self.settings = settings
        self.capabilities: Capabilities | None = None
        self.failure: BaseException | None = None
        self._on_reads = on_reads
        self._clock = clock
        timing = settings.timing
        self._backoff = Backoff(
            random.Random(seed), timing.backoff_first_s, timing.backoff_highest_s, spread=BEYOND
        )
        self._health = ReaderHealth()
        self._lock = threading.Lock()
        self._meter = RateMeter()
        self._batcher = ReadBatcher()
        self._connection: Connection | None = None
        self._clock_steps = 0
        self._ignored: Counter[str] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reader {settings.label}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the connection and the thread; reads in hand are delivered first."""
        self._stop.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def alive(self) -> bool:
        return self._thread.is_alive()

    def health(self) -> ReaderHealth:
        """A snapshot, from any thread."""
        with self._lock:
            health = self._meter.rated(self._health, self._clock())
        said = [health.detail, *health.remarks] if health.detail else health.remarks
        return replace(health, detail="; ".join(said))

    def _note(self, **changes: object) -> None:
        with self._lock:
            self._health = replace(self._health, **changes)  # type: ignore[arg-type]

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                wait_s = self._serve_one_connection()
                self._stop.wait(wait_s)
        except BaseException as error:
            self.failure = error
            self._note(state="stopped", detail=f"the session failed: {error!r}")
            raise
        self._note(state="stopped", detail="")

    def _serve_one_connection(self) -> float:
        """Connect, read until a fault or a stop; returns how long to wait before the next connection.

        The back-off counts from one attempt to the next: a connection that lasted is made again at once. Only
        attempts that did not lead to reading make it grow.
        """
        connection: Connection | None = None
        began_s, was_reading = time.monotonic(), False
        self._clock_steps += self._batcher.clock_steps
        self._ignored.update(self._batcher.remarks.ignored)
        self._batcher = ReadBatcher(self.settings.antennas, before=self._batcher)
        self._note(state="connecting", connects=self._health.connects + 1)
        try:
            connection = Connection(self.settings, self._take_report, self._take_event, self._count_unknown)
            self._connection = connection
            connection.handshake()
            self._note(state="configuring", connected=self._health.connected + 1, antennas_lost=())
            self.capabilities = connection.configure()
            self._note(
                state="reading",
                detail="" if connection.extensions else "the reader gives no phase (no Impinj extensions)",
                phase_known=connection.extensions,
                link_monitored=connection.link_monitored,
                progress_s=self._clock(),
            )
            self._backoff.reset()
            was_reading = True
            self._read(connection)
            connection.leave()
            return 0.0
        except ReaderSettingsError as error:
            self._note(state="waiting", detail=str(error))
            return self.settings.timing.settings_retry_s
        except ReaderError as error:
            if isinstance(error, LlrpFrameError):
                self._note(malformed=self._health.malformed + 1)
            self._note(state="waiting", detail=str(error))
            wait_s = self._backoff.failed() - (time.monotonic() - began_s)
            if was_reading:
                self._backoff.reset()
            return max(0.0, wait_s)
        finally:
            self._deliver(last=True)
            self._connection = None
            if connection is not None:
                connection.close()

    def _read(self, connection: Connection) -> None:
        while not self._stop.is_set():
            if connection.pump(POLL_S):
                self._note(progress_s=self._clock())
            if self._batcher.due(self._clock(), self.settings.timing.batch_s):
                self._deliver()
            self._report_ignored()

    def _take_report(self, body: bytes) -> None:
        if self._connection is not None and self._connection.antennas_there is not None:
            self._batcher.remarks.antennas = self._connection.antennas
            self._batcher.remarks.highest = self._connection.antennas_there
        self._batcher.take(body, self._clock())
        if self._batcher.full:
            self._deliver()

    def _deliver(self, last: bool = False) -> None:
        """Hand on what is in hand; reads whose time is in doubt wait, unless they are the last."""
        batcher = self._batcher
        while len(reads := batcher.hand_out(math.inf if last else self._clock())):
            with self._lock:
                self._meter.count(self._clock(), reads.antenna.tolist(), reads.epc.tolist())
                self._health = replace(
                    self._health,
                    reads=self._health.reads + len(reads),
                    clock_steps=self._clock_steps + batcher.clock_steps,
                    clock_offset_s=batcher.clock_offset_s,
                    phase_known=self._health.phase_known and not batcher.remarks.missing(NO_PHASE),
                    remarks=self._remarks(),
                )
            self._on_reads(reads)
        self._report_ignored()

    def _report_ignored(self) -> None:
        """Say at once what was ignored, whether or not any read comes."""
        ignored = self._ignored + self._batcher.remarks.ignored
        if ignored != self._health.ignored:
            self._note(ignored=dict(ignored), reports_ignored=ignored.total(), remarks=self._remarks())

    def _remarks(self) -> tuple[str, ...]:
        """What has to be said of the reports, but for the phase where the reader has told us before."""
        said = self._batcher.remarks.sentences()
        if self._connection is None or self._connection.extensions:
            return tuple(said)
        return tuple(text for text in said if not text.startswith("the reader gives no phase"))

    def _count_unknown(self) -> None:
        self._note(unknown_messages=self._health.unknown_messages + 1)

    def _take_event(self, event: ReaderEvent) -> None:
        if event.antenna is not None:
            antenna, connected = event.antenna
            others = set(self._health.antennas_lost) - {antenna}
            self._note(antennas_lost=tuple(sorted(others if connected else others | {antenna})))
        if event.overflow:
            self._note(overflows=self._health.overflows + 1)
        if event.buffer_percent is not None:
            self._note(buffer_percent=event.buffer_percent)
