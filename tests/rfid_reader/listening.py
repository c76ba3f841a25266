"""A session that listens to a simulated reader, for tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rfid_reader.reads import ReadTable
from rfid_reader.session.reader_session import ReaderSession
from rfid_reader.settings import ReaderSettings
from rfid_reader.simulator.llrp.server import SimulatedReader
from tests.rfid_reader.small_stores import IMPATIENT

RECOVERY_S = 30.0
"""For a session to be back, on a machine that other work keeps busy; how fast it is `bench llrp` measures."""


class Ear:
    """Collects what a session hears."""

    def __init__(self) -> None:
        self.batches: list[ReadTable] = []
        self.latest_s = 0.0
        """How long before its delivery the oldest read was read, by the times that the reads say."""
        self.earliest_s = float("inf")

    def __call__(self, reads: ReadTable) -> None:
        ages_s = time.time() - reads.time_s
        self.latest_s = max(self.latest_s, float(ages_s.max()))
        self.earliest_s = min(self.earliest_s, float(ages_s.min()))
        self.batches.append(reads)

    @property
    def count(self) -> int:
        return sum(map(len, self.batches))

    def table(self) -> ReadTable:
        return ReadTable.concatenate(self.batches)


def until(condition: Callable[[], bool], limit_s: float = RECOVERY_S) -> float:
    """Wait for a condition; returns how long it took. Fails after limit_s."""
    start_s = time.monotonic()
    while not condition():
        assert time.monotonic() - start_s < limit_s, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - start_s


@contextmanager
def listening(reader: SimulatedReader, **settings: object) -> Iterator[tuple[ReaderSession, Ear]]:
    ear = Ear()
    options = ReaderSettings("127.0.0.1", reader.port, timing=IMPATIENT, **settings)  # type: ignore[arg-type]
    session = ReaderSession(options, ear, seed=1)
    session.start()
    try:
        yield session, ear
    finally:
        session.stop()
        assert session.failure is None
        assert reader.failure is None
