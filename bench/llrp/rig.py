"""A session and a simulated reader over TCP, and a ledger of every single read between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.llrp.numbered_source import NumberedSource, antenna_of, number_of, phase_rad_of, rssi_dbm_of
from rfid_reader.errors import LlrpFrameError
from rfid_reader.llrp import frames
from rfid_reader.llrp.frames import FrameSplitter
from rfid_reader.llrp.reports import decode_report
from rfid_reader.reads import ReadTable
from rfid_reader.session.reader_session import ReaderSession
from rfid_reader.settings import ReaderSettings, Timing
from rfid_reader.simulator.llrp.parameters import tlv, u16
from rfid_reader.simulator.llrp.server import SimulatedReader
from tagsight.errors import TagsightError

SETTLE_S = 20.0
ATTEMPT_EVENT = tlv(256, u16(0))
"""ConnectionAttemptEvent "Success": a reader's first words on a connection."""


@dataclass(frozen=True)
class ReadAccount:
    """sent: reads that left the reader completely, with nothing malformed before them on their connection.
    unowed: those that left behind something malformed (the session has to close there). received: reads the
    session delivered. lost: sent and never received. twice: received more than once. wrong: received with
    other values than were sent.
    """

    sent: int
    unowed: int
    received: int
    lost: int
    twice: int
    wrong: int

    @property
    def sound(self) -> bool:
        return not (self.lost or self.twice or self.wrong)


class Ledger:
    """How often each of at most `capacity` numbered reads was sent and received."""

    def __init__(self, capacity: int) -> None:
        self._sent = np.zeros(capacity, np.uint8)
        self._received = np.zeros(capacity, np.uint8)
        self._wrong = 0
        self._unowed = 0
        self._spoilt = False
        self.received_at_s = 0.0
        """Monotonic time of the last read received."""

    def note_sent(self, message: bytes) -> None:
        """Called by the reader for everything that has left completely."""
        splitter = FrameSplitter()
        try:
            frame = next(splitter.feed(message), None)
            if frame is None:
                self._spoilt = True
            elif frame.type == frames.READER_EVENT_NOTIFICATION and ATTEMPT_EVENT in frame.body:
                self._spoilt = False
            elif frame.type == frames.RO_ACCESS_REPORT:
                self._note_reports(frame.body)
        except LlrpFrameError:
            self._spoilt = True

    def _note_reports(self, body: bytes) -> None:
        numbers = [number_of(report.epc) for report in decode_report(body)]
        if self._spoilt:
            self._unowed += len(numbers)
            return
        for number in numbers:
            self._sent[number] += 1

    def note_reads(self, reads: ReadTable) -> None:
        """Called by the session."""
        number = np.array([number_of(epc) for epc in reads.epc.tolist()], np.int64)
        np.add.at(self._received, number, 1)
        right = (
            (reads.antenna == antenna_of(number))
            & np.isclose(reads.rssi_dbm, rssi_dbm_of(number), atol=1e-3)
            & np.isclose(reads.phase_rad, phase_rad_of(number), atol=1e-3)
        )
        self._wrong += int((~right).sum())
        self.received_at_s = time.monotonic()

    def received(self) -> int:
        return int(self._received.sum(dtype=np.int64))

    def account(self) -> ReadAccount:
        return ReadAccount(
            int(self._sent.sum(dtype=np.int64)),
            self._unowed,
            self.received(),
            int((self._sent > self._received).sum()),
            int((self._received > 1).sum()),
            self._wrong,
        )


class SessionRig:
    """A session reading a simulated reader at `rate_hz` for up to `longest_s`; use as a context manager."""

    def __init__(self, rate_hz: float, longest_s: float, timing: Timing | None = None, seed: int = 1) -> None:
        self.ledger = Ledger(int(rate_hz * (longest_s + 60)))
        self.source = NumberedSource(rate_hz)
        self.reader = SimulatedReader(self.source, on_sent=self.ledger.note_sent)
        settings = ReaderSettings("127.0.0.1", self.reader.port, timing=timing or Timing())
        self.session = ReaderSession(settings, self.ledger.note_reads, seed=seed)

    def __enter__(self) -> SessionRig:
        self.reader.start()
        self.session.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.session.stop()
        self.reader.stop()

    def power_on(self) -> None:
        """Put a reader that was stopped back on its port."""
        port = self.reader.port
        self.reader = SimulatedReader(self.source, port, on_sent=self.ledger.note_sent).start()

    def wait(self, condition: Callable[[], bool], limit_s: float) -> float:
        """Seconds until a condition came true. Raises TagsightError if it does not within `limit_s`."""
        start_s = time.monotonic()
        while not condition():
            for failure in (self.session.failure, self.reader.failure):
                if failure is not None:
                    raise TagsightError(f"a thread failed: {failure!r}") from failure
            if time.monotonic() - start_s > limit_s:
                raise TagsightError(
                    f"waited {limit_s:.0f} s in vain; the session says: {self.session.health().detail}"
                )
            time.sleep(0.005)
        return time.monotonic() - start_s

    def read_more(self, count: int = 1, limit_s: float = 60.0) -> float:
        """Wait until `count` further reads were received; returns the seconds it took."""
        goal = self.ledger.received() + count
        return self.wait(lambda: self.ledger.received() >= goal, limit_s)

    def strike(self, kind: str, seconds: float = 0.0, size: int = 1) -> None:
        """Let a fault happen, and return once it has begun."""
        before = self.reader.faults_done
        self.reader.fault(kind, seconds, size)
        self.wait(lambda: self.reader.faults_done > before, 5.0)

    def settle(self) -> ReadAccount:
        """Stop the session in good order; what was sent to it and what it received."""
        self.session.stop()
        self.wait(self.reader.idle, SETTLE_S)
        return self.ledger.account()
