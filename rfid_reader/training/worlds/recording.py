"""What every world hands out: a quiet time for calibration, the reads of a busy one, and what really
happened."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_reader.reads import ReadTable

TURNED, REHUNG, CARRIED = "turned", "rehung", "carried"
"""Kinds of handling: turned over and put back, hung elsewhere on its rack, carried off."""


@dataclass(frozen=True)
class Handling:
    """A garment in a hand from start_s to end_s (seconds of the reads): one true flip, of one of the
    kinds."""

    epc: str
    kind: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class WorldRecording:
    """One store of a world. still: reads of a time without people (empty: none was recorded); reads from 0 to
    duration_s; handlings in order of their start."""

    name: str
    still: ReadTable
    reads: ReadTable
    handlings: tuple[Handling, ...]
    tags: int
    duration_s: float
