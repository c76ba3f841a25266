"""Reads of a live reader for a while, for a technician who watches."""

from __future__ import annotations

import threading
import time

from calibration.errors import CalibrationError
from rfid_reader.reads import ReadTable
from rfid_reader.session.reader_session import ReaderSession
from rfid_reader.settings import ReaderSettings

MAX_READS = 4_000_000
"""About two hours of a busy reader."""
FIRST_READ_S = 20.0
POLL_S = 0.1


class Recording:
    """What a reader hears while this context lasts, at most MAX_READS; what comes on top is not kept."""

    def __init__(self, settings: ReaderSettings) -> None:
        self._label = settings.label
        self._session = ReaderSession(settings, self._take)
        self._lock = threading.Lock()
        self._batches: list[ReadTable] = []
        self._count = 0

    def __enter__(self) -> Recording:
        self._session.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.stop()

    def _take(self, reads: ReadTable) -> None:
        with self._lock:
            if self._count + len(reads) <= MAX_READS:
                self._batches.append(reads)
                self._count += len(reads)

    def __len__(self) -> int:
        with self._lock:
            return self._count

    def wait_for_reads(self, limit_s: float = FIRST_READ_S) -> None:
        """Until the reader reads. Raises CalibrationError, with what the session says, if it does not."""
        end_s = time.monotonic() + limit_s
        while not len(self):
            if time.monotonic() > end_s or not self._session.alive():
                why = self._session.health().detail or "it reads no tag"
                raise CalibrationError(f"nothing was read from {self._label}: {why}")
            time.sleep(POLL_S)

    def reads(self, since_s: float = 0.0) -> ReadTable:
        """What was heard so far, from host time `since_s` on (UTC seconds)."""
        with self._lock:
            table = ReadTable.concatenate(self._batches)
        return table.take(table.time_s >= since_s)
