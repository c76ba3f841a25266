"""How many tag reports a second go from bytes to a read table, and on through the flip detector."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rfid_reader.flips import make_detector
from rfid_reader.llrp import frames
from rfid_reader.llrp.codec import decode_message
from rfid_reader.llrp.frames import FrameSplitter, LlrpFrame
from rfid_reader.reads import ReadTable
from rfid_reader.session.batcher import ReadBatcher
from rfid_reader.session.protocol_handler import ProtocolHandler
from rfid_reader.simulator.llrp.rospecs import (
    ANTENNA,
    CHANNEL,
    LAST_SEEN,
    RSSI,
    SEEN_COUNT,
    ReportSpec,
    ROSpec,
)
from rfid_reader.simulator.llrp.tag_reports import tag_reports
from rfid_reader.simulator.scenarios.random_stores import generate_store
from rfid_reader.simulator.world import World

EPOCH_S = 1.7e9
STORE_SEED = 7
RECEIVED_BYTES = 4096
CONTENT = frozenset({ANTENNA, CHANNEL, RSSI, LAST_SEEN, SEEN_COUNT})
IMPINJ_CONTENT = frozenset({52, 53, 67})


@dataclass(frozen=True)
class Rates:
    """Reads a second of CPU time: decoded into read tables, decoded and judged by the production
    detector, and decoded by sllurp's codec alone.
    """

    reads: int
    decoded_per_s: float
    judged_per_s: float
    sllurp_per_s: float


def store_reads(seconds: float) -> ReadTable:
    """Reads of a simulated store, times as UTC seconds."""
    world = World(generate_store(STORE_SEED, seconds))
    reads = world.reads(seconds, world.setup())
    columns = (reads.epc, reads.antenna, reads.channel, reads.rssi_dbm, reads.phase_rad)
    return ReadTable(reads.time_s + EPOCH_S, *columns)


def as_llrp(reads: ReadTable) -> bytes:
    """Reads as an R420 sends them: a message for each, with Impinj's phase, RSSI and Doppler."""
    world = World(generate_store(STORE_SEED, 1.0))
    spec = ROSpec(1, 2, True, None, world.setup(), ReportSpec(1, CONTENT, IMPINJ_CONTENT))
    reports = tag_reports(reads, spec, 0.0, True)
    return b"".join(
        LlrpFrame(frames.RO_ACCESS_REPORT, number, report).encode() for number, report in enumerate(reports)
    )


def received(stream: bytes) -> Iterator[ReadTable]:
    """What a session makes of a reader's bytes, a table for every chunk that came out of the socket."""
    batcher = ReadBatcher()
    arrived_s = EPOCH_S
    protocol = ProtocolHandler(
        "rate", lambda body: batcher.take(body, arrived_s), lambda _: None, lambda: None, lambda: None
    )
    for start in range(0, len(stream), RECEIVED_BYTES):
        arrived_s += 0.01
        protocol.take(stream[start : start + RECEIVED_BYTES])
        while batcher:
            yield batcher.hand_out()


def _per_second(count: int, work: Callable[[], object]) -> float:
    start_s = time.process_time()
    work()
    return count / max(time.process_time() - start_s, 1e-9)


def _judge(stream: bytes) -> None:
    detector = make_detector("production")
    for reads in received(stream):
        detector.feed(reads)
    detector.finish()


def measure_rates(seconds: float = 120.0) -> Rates:
    """Decode and judge `seconds` of a simulated store."""
    reads = store_reads(seconds)
    stream = as_llrp(reads)
    count = len(reads)
    return Rates(
        count,
        _per_second(count, lambda: [len(table) for table in received(stream)]),
        _per_second(count, lambda: _judge(stream)),
        _per_second(count, lambda: [decode_message(frame) for frame in FrameSplitter().feed(stream)]),
    )
