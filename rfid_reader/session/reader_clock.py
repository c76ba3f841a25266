"""Reader time to host time.

A read arrives some latency after the reader stamped it. The smallest difference "host at arrival minus reader
stamp" over the last minute is the offset with the least latency in it. A minute is short enough for the drift
of two clocks (50 ppm makes 3 ms) and long enough to meet a read that was quick. A reader clock that stands at
2000-01-01 or in the future is only another offset.

LLRP promises no order of reports: a reader may sort them by tag, or send a later one first. So the clock is
judged by the newest stamp of all that came together, and one batch that does not fit is no proof: only
several in a row that agree with each other are a step of the reader's clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SLICE_S = 5.0
SLICES = 12
FRESH_S = 0.1
"""A newest stamp with no more latency than this (beyond the least known) fits the offset for sure."""
AHEAD_S = 0.25
"""Less latency than ever by more than this is a step forward, once the clock is known for SLICE_S."""
LONGEST_LATENCY_S = 30.0
HIGHEST_DRIFT = 5e-4
STEP_BATCHES, STEP_S, STEP_SPREAD_S = 3, 0.5, 2.0
"""A step is believed after so many batches in a row, over so long, whose offsets agree so well."""
LATER_BATCHES = 20
"""In slices with so many batches the least latency is the network's: two that are late are a step back."""
STANDS_S, STANDS_BATCHES = 1.0, 5


@dataclass
class _Slice:
    start_s: float
    offset_s: float
    batches: int = 1


@dataclass(frozen=True)
class _Doubt:
    """The newest stamp of a batch that does not fit: when it arrived, and what offset it would mean."""

    arrived_s: float
    stamp_s: float

    @property
    def offset_s(self) -> float:
        return self.arrived_s - self.stamp_s


class ReaderClock:
    """Maps a reader's stamps (seconds of its clock) to host UTC seconds, following offset and drift.

    `judge` takes the newest stamp of every batch; while `unsure`, the batch's reads are better mapped later.
    `steps` counts the steps that were believed. `stands`: the newest stamp does not move while reads come.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.stands = False
        self._slices: deque[_Slice] = deque(maxlen=SLICES)
        self._known_since_s = 0.0
        self._newest_s = 0.0
        self._doubts: list[_Doubt] = []
        self._same_stamp_s = self._same_since_s = 0.0
        self._same = 0
        self._before_step: tuple[float, float] | None = None

    @property
    def offset_s(self) -> float | None:
        """Host time minus reader time, None before the first stamp."""
        return self._best_offset() if self._slices else None

    @property
    def unsure(self) -> bool:
        """Whether the latest batch may be a step of the clock, or only out of order."""
        return bool(self._doubts)

    def drift(self) -> float:
        """Seconds a second by which the host gains on the reader (0 while too little is known)."""
        if len(self._slices) < 4:
            return 0.0
        first, last = self._slices[0], self._slices[-2]
        slope = (last.offset_s - first.offset_s) / max(last.start_s - first.start_s, SLICE_S)
        return max(-HIGHEST_DRIFT, min(HIGHEST_DRIFT, slope))

    def judge(self, stamp_s: float, arrived_s: float) -> None:
        """Learn from the newest stamp of a batch of reads, and when the report that holds it arrived."""
        if not self._slices:
            self._begin(stamp_s, arrived_s)
            return
        if self._is_same(stamp_s, arrived_s):
            return
        latency_s = arrived_s - stamp_s - self._best_offset()
        settled = arrived_s - self._known_since_s >= SLICE_S
        in_order = stamp_s >= self._newest_s - FRESH_S and latency_s <= LONGEST_LATENCY_S
        ahead = settled and latency_s < -AHEAD_S
        if not ahead and (latency_s <= FRESH_S or (in_order and not self._doubts)):
            self._doubts.clear()
            self._newest_s = max(self._newest_s, stamp_s)
            self._learn(arrived_s - stamp_s, arrived_s)
            return
        self._doubts = [*self._doubts[-STEP_BATCHES * 8 :], _Doubt(arrived_s, stamp_s)]
        self._believe_a_step()

    def to_host(self, stamp_s: Array, arrived_s: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Host times of stamps that arrived at `arrived_s` (n,), never later than that; and whether each
        stamp was of use: one that would mean a latency over LONGEST_LATENCY_S, or that comes from a clock
        that stands, is not, and its time is the arrival.
        """
        if not self._slices:
            return arrived_s, np.zeros(len(arrived_s), np.bool_)
        times = stamp_s + self._best_offset()
        if self._before_step is not None:
            step_s, offset_s = self._before_step
            before = stamp_s + offset_s
            there = (arrived_s <= step_s) & (np.abs(arrived_s - before) < AHEAD_S)
            times = np.where(there & (np.abs(arrived_s - times) > AHEAD_S), before, times)
        useful = (arrived_s - times <= LONGEST_LATENCY_S) & (times - arrived_s <= STEP_SPREAD_S)
        if self.stands:
            useful &= False
        return np.where(useful, np.minimum(times, arrived_s), arrived_s), useful

    def _begin(self, stamp_s: float, arrived_s: float) -> None:
        self._slices.append(_Slice(arrived_s, arrived_s - stamp_s))
        self._known_since_s = arrived_s
        self._newest_s = self._same_stamp_s = stamp_s
        self._same_since_s, self._same = arrived_s, 1
        self._doubts.clear()

    def _is_same(self, stamp_s: float, arrived_s: float) -> bool:
        """Whether the newest stamp is that of the batch before."""
        if stamp_s != self._same_stamp_s:
            self._same_stamp_s, self._same_since_s, self._same = stamp_s, arrived_s, 1
            self.stands = False
            return False
        self._same += 1
        self.stands = self._same >= STANDS_BATCHES and arrived_s - self._same_since_s >= STANDS_S
        return True

    def _learn(self, offset_s: float, arrived_s: float) -> None:
        current = self._slices[-1]
        if arrived_s - current.start_s < SLICE_S:
            current.offset_s = min(current.offset_s, offset_s)
            current.batches += 1
            return
        self._notice_lateness()
        self._slices.append(_Slice(arrived_s, offset_s))

    def _notice_lateness(self) -> None:
        """A small step back hides in the latency of a reader whose reports are out of order; not for long."""
        recent = [part for part in list(self._slices)[-2:] if part.batches >= LATER_BATCHES]
        if len(recent) == 2 and len(self._slices) > 2:
            least, most = sorted(part.offset_s for part in recent)
            if least > self._best_offset() + FRESH_S and most - least <= FRESH_S:
                self._slices = deque(recent, maxlen=SLICES)
                self.steps += 1

    def _believe_a_step(self) -> None:
        doubts = [
            doubt
            for doubt in self._doubts
            if abs(doubt.offset_s - self._doubts[-1].offset_s) <= STEP_SPREAD_S
        ]
        if len(doubts) < STEP_BATCHES or doubts[-1].arrived_s - doubts[0].arrived_s < STEP_S:
            return
        self._before_step = (doubts[-1].arrived_s, self._best_offset())
        self._slices.clear()
        best = min(doubts, key=lambda doubt: doubt.offset_s)
        self._begin(best.stamp_s, best.arrived_s)
        self._newest_s = max(doubt.stamp_s for doubt in doubts)
        self.steps += 1

    def _best_offset(self) -> float:
        return min(part.offset_s for part in self._slices)
