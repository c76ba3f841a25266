"""Readers whose phase is half a turn off at random, and how they are recognised.

Some readers resolve a phase modulo half a turn only: on every read it may be off by pi. Of the steps from
read to read of one tag on one antenna and channel, those near half a turn then are about as many as those
near none, and few lie between; where tags move, steps of every size are. Such a reader's phases are doubled,
which takes the half turns away (and makes a phase mean twice the distance).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.reads import TWO_PI, ReadTable

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
NEAR_RAD = 0.6
BETWEEN_SHARE = NEAR_RAD / (np.pi - 2 * NEAR_RAD)
"""Steps near half a turn, to one between, where steps are of every size alike."""
MOST_SHARE = 0.12
"""Of steps; a share of 0.065 of the reads, several times what a sound reader's weak links make of all of its
reads."""
LEAST_STEPS = 150
MEMORY_STEPS = 6_000.0
LONGEST_S = 1.0


def doubled(reads: ReadTable) -> ReadTable:
    """The same reads with phases modulo half a turn, stretched to a whole one."""
    from dataclasses import replace

    return replace(reads, phase_rad=(2 * reads.phase_rad) % TWO_PI)


def counted(steps_rad: Array) -> Array:
    """How many steps are near none, near half a turn, and between."""
    size = np.abs((steps_rad + np.pi) % TWO_PI - np.pi)
    near, half = size < NEAR_RAD, size > np.pi - NEAR_RAD
    return np.array([near.sum(), half.sum(), (~near & ~half).sum()], np.float64)


def share_of(counts: Array) -> float | None:
    """Share of steps that are half a turn by the reader's doing; None after too few steps."""
    near, half, between = counts.tolist()
    if near + half < LEAST_STEPS:
        return None
    half = max(half - BETWEEN_SHARE * between, 0.0)
    near = max(near - BETWEEN_SHARE * between, 0.0)
    return half / max(near + half, 1.0) if near + half >= 0.3 * between else None


def steps_within_cells(reads: ReadTable, longest_s: float = np.inf) -> Array:
    """Phase steps (rad) between reads of one tag, antenna and channel that follow one another."""
    _, tag = np.unique(reads.epc, return_inverse=True)
    cell = (tag.astype(np.int64) * 256 + reads.antenna) * 1024 + reads.channel
    known = np.flatnonzero(~np.isnan(reads.phase_rad))
    order = known[np.lexsort((reads.time_s[known], cell[known]))]
    together = (np.diff(cell[order]) == 0) & (np.diff(reads.time_s[order]) <= longest_s)
    return np.asarray(np.diff(reads.phase_rad[order])[together])


class HalfTurnWatch:
    """Counts the steps of a reader's own reads, batch by batch, and says whether its phases are to be
    doubled.

    Once doubled, always doubled: what was learned meanwhile is of doubled phases.
    """

    def __init__(self, doubling: bool = False) -> None:
        self.doubling = doubling
        self._counts = np.zeros(3)

    def take(self, reads: ReadTable) -> bool:
        """Whether these reads have made it begin to double."""
        if self.doubling or len(reads) < 2:
            return False
        self._counts = self._counts + counted(steps_within_cells(reads, LONGEST_S))
        self._counts *= min(1.0, MEMORY_STEPS / max(float(self._counts.sum()), 1.0))
        share = share_of(self._counts)
        self.doubling = share is not None and share > MOST_SHARE
        return self.doubling
