"""What the production detector costs: a big store at its usual pace, reads as fast as one core takes them."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rfid_reader.flips import make_detector
from rfid_reader.reads import TWO_PI, ReadTable
from rfid_reader.session.batcher import ReadBatcher
from rfid_reader.simulator.llrp.rospecs import ReportSpec, ROSpec
from rfid_reader.simulator.llrp.tag_reports import tag_reports
from rfid_reader.simulator.world import InventorySetup

TAGS, ANTENNAS, CHANNELS, READS_PER_S = 4_000, 4, 50, 2_000
SLICE_S = 0.25
SELECT_PHASE, SELECT_RSSI = 52, 53


@dataclass(frozen=True)
class DetectorCost:
    """core_share: CPU seconds a second of reads; memory_mb: resident memory that the detector added."""

    tags: int
    antennas: int
    reads_per_s: float
    seconds: float
    core_share: float
    memory_mb: float


def big_store_reads(seconds: float, seed: int = 1) -> ReadTable:
    """READS_PER_S reads of TAGS still tags, each on one of ANTENNAS antennas; one in a hundred disturbed."""
    rng = np.random.default_rng(seed)
    count = int(seconds * READS_PER_S)
    time_s = np.arange(count) / READS_PER_S
    tag = rng.permutation(np.arange(count) % TAGS)
    antenna = tag % ANTENNAS + 1
    channel = np.floor(time_s / 0.2).astype(np.int64) % CHANNELS + 1
    phase = rng.uniform(0, TWO_PI, TAGS)[tag] + rng.uniform(0, TWO_PI, CHANNELS + 1)[channel]
    phase += rng.normal(0, 0.03, count) + np.where(tag % 100 == 0, rng.uniform(0, TWO_PI, count), 0.0)
    epcs = np.array([f"e280{number:020x}" for number in range(TAGS)])
    rssi = np.round((-55 + 6 * rng.normal(size=TAGS)[tag] + rng.normal(0, 0.4, count)) * 2) / 2
    return ReadTable.from_columns(time_s, epcs[tag], antenna, channel, rssi, phase % TWO_PI)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def big_store(seconds: float = 30.0) -> DetectorCost:
    """Feed the second half of a run, once every tag is known, and measure it."""
    reads = big_store_reads(2 * seconds)
    before_mb = _resident_mb()
    detector = make_detector("production")
    used_s = 0.0
    for start_s in np.arange(0.0, 2 * seconds, SLICE_S):
        piece = reads.take(slice(int(start_s * READS_PER_S), int((start_s + SLICE_S) * READS_PER_S)))
        started_s = time.process_time()
        detector.feed(piece)
        used_s += (time.process_time() - started_s) * (start_s >= seconds)
    return DetectorCost(TAGS, ANTENNAS, READS_PER_S, seconds, used_s / seconds, _resident_mb() - before_mb)


def decoded_and_judged_per_s(reads: ReadTable) -> float:
    """Reads a second that one core takes from report bytes to flips: decode, gather, window, judge."""
    everything = ReportSpec(1, frozenset(range(10)), frozenset((SELECT_PHASE, SELECT_RSSI)))
    spec = ROSpec(1, 2, True, None, InventorySetup({}, 0), everything)
    bodies = [
        b"".join(tag_reports(reads.take(slice(start, start + 64)), spec, 0.0, True))
        for start in range(0, len(reads), 64)
    ]
    detector, batcher = make_detector("production"), ReadBatcher()
    started_s = time.process_time()
    for place, body in enumerate(bodies):
        batcher.take(body, float(reads.time_s[min(64 * place + 63, len(reads) - 1)]))
        if place % 8 == 7:
            detector.feed(batcher.hand_out())
    detector.feed(batcher.hand_out())
    detector.finish()
    return len(reads) / (time.process_time() - started_s)
