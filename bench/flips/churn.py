"""A day of tags that come and go, and of EPCs that nobody sewed in anywhere, faster than real time.

Garments are carried in and sold; each is read about once a second while it hangs. Beside them a reader
reports ghosts: EPCs that are read once. What a reader process keeps of them must stay bounded, and every
garment that hangs for long enough must be followed.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rfid_reader.flips import make_detector
from rfid_reader.flips.ticks import LEAST_RATE_HZ, LEAST_READS, TickingDetector
from rfid_reader.presence import FittingRooms
from rfid_reader.reads import ReadTable
from rfid_reader.session.health import RateMeter, ReaderHealth

HOUR_S, CHUNK_S = 3_600.0, 10.0
HANGING, STAY_S = 60, 170.0
READ_HZ, GHOSTS_HZ = 1.0, 0.5
ANTENNAS, CHANNELS = 4, 4
FITTING_ROOM = 4
SETTLED_S = 60.0
"""A garment that hung for longer should have been followed."""


@dataclass(frozen=True)
class Hour:
    """One hour of the day: garments and ghosts met so far, rows in use, resident memory, CPU seconds,
    garments that left unfollowed although they hung for SETTLED_S."""

    hour: int
    garments: int
    ghosts: int
    rows: int
    memory_mb: float
    processor_s: float
    overlooked: int


@dataclass
class HungGarments:
    """The garments that hang now, as columns."""

    number: np.ndarray
    since_s: np.ndarray
    until_s: np.ndarray

    @classmethod
    def hung(cls, count: int, rng: np.random.Generator) -> HungGarments:
        return cls(np.arange(count), np.zeros(count), rng.exponential(STAY_S, count))

    def replace(self, now_s: float, met: int, rng: np.random.Generator) -> tuple[int, np.ndarray]:
        """Those whose time is over are sold and others hung up; returns how many were met, and which of the
        sold had hung for SETTLED_S."""
        sold = np.flatnonzero(self.until_s <= now_s)
        settled = self.number[sold[self.until_s[sold] - self.since_s[sold] >= SETTLED_S]]
        self.number[sold] = met + np.arange(len(sold))
        self.since_s[sold] = now_s
        self.until_s[sold] = now_s + rng.exponential(STAY_S, len(sold))
        return met + len(sold), settled


def epc_of(number: int) -> str:
    return f"e2806894{number:016x}"


def _reads(garments: HungGarments, start_s: float, ghosts: int, rng: np.random.Generator) -> ReadTable:
    """CHUNK_S of reads of what hangs, and of ghosts that are read once; `ghosts` were met before."""
    count = rng.poisson(len(garments.number) * READ_HZ * CHUNK_S)
    who = garments.number[rng.integers(0, len(garments.number), count)]
    false = rng.poisson(GHOSTS_HZ * CHUNK_S)
    epcs = [epc_of(number) for number in who.tolist()] + [f"{ghosts + n:024x}" for n in range(false)]
    whose = np.concatenate([who, rng.integers(0, 1000, false)])
    channel = rng.integers(1, CHANNELS + 1, len(epcs))
    phase = whose * 1.7 + channel * 0.9 + rng.normal(0, 0.03, len(epcs))
    table = ReadTable.from_columns(
        start_s + rng.uniform(0, CHUNK_S, len(epcs)),
        epcs,
        whose % ANTENNAS + 1,
        channel,
        -50.0 - whose % 12 + rng.normal(0, 0.4, len(epcs)),
        phase % (2 * np.pi),
    )
    return table.in_time_order()


def churn(hours: float, method: str, seed: int = 1, told: Callable[[Hour], None] | None = None) -> list[Hour]:
    """The hours of a day; `told` hears of each as it ends."""
    rng, detector = np.random.default_rng(seed), make_detector(method)
    assert isinstance(detector, TickingDetector)
    rooms, meter, garments = FittingRooms({FITTING_ROOM}), RateMeter(), HungGarments.hung(HANGING, rng)
    met, ghosts, overlooked = HANGING, 0, 0
    found: list[Hour] = []
    began_s = time.process_time()
    chunks = round(hours * HOUR_S / CHUNK_S)
    for chunk in range(chunks):
        start_s = chunk * CHUNK_S
        met, settled = garments.replace(start_s, met, rng)
        overlooked += sum(not _followed(detector, epc_of(number)) for number in settled.tolist())
        reads = _reads(garments, start_s, ghosts, rng)
        ghosts += sum(epc.startswith("0000") for epc in reads.epc.tolist())
        detector.feed(reads)
        detector.advance(start_s + CHUNK_S)
        rooms.feed(reads)
        rooms.advance(start_s + CHUNK_S)
        meter.count(start_s, reads.antenna.tolist(), reads.epc.tolist())
        if (chunk + 1) % round(HOUR_S / CHUNK_S) == 0 or chunk + 1 == chunks:
            meter.rated(ReaderHealth(), start_s)
            used_s, began_s = time.process_time() - began_s, time.process_time()
            rows, hour = detector.tag_rows.in_use, len(found) + 1
            found.append(Hour(hour, met, ghosts, rows, _resident_mb(), used_s, overlooked))
            if told is not None:
                told(found[-1])
    return found


def _followed(detector: TickingDetector, epc: str) -> bool:
    """Whether a tag has a row and was read as often as a judgement needs."""
    rows = detector.tag_rows
    row = rows.row(epc)
    if row < 0:
        return False
    passed_s = max(float(rows.last_s[row] - rows.first_s[row]), 1.0)
    return bool(rows.heard[row] >= LEAST_READS and rows.heard[row] / passed_s >= LEAST_RATE_HZ)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
