"""Reads of a live reader for a while, for a technician who watches."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from calibration.errors import CalibrationError
from rfid_reader.reads import ReadTable
from rfid_reader.session import ReaderSession
from rfid_reader.settings import LLRP_PORT, ReaderSettings

MAX_READS = 4_000_000
"""About two hours of a busy reader."""
FIRST_READ_S = 20.0
POLL_S = 0.1


def reader_at(address: str) -> ReaderSettings:
    """HOST or HOST:PORT. Raises CalibrationError."""
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return ReaderSettings(host=address.strip("[]"), port=LLRP_PORT)
    if not port.isdigit():
        raise CalibrationError(f"{address!r} is not HOST or HOST:PORT; 192.0.2.20:5084 would be right")
    return ReaderSettings(host=host.strip("[]"), port=int(port))


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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
