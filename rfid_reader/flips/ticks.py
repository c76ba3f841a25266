"""Reads in arrival order, cut at fixed steps of time.

Everything a detector decides, it decides at ticks: multiples of `step_s` of the reads' own time. A tick runs
once a read (or `advance`) is `REORDER_S` past it, so reads that are a little out of order still count, and
the result does not depend on how the reads came in batches.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.detector import DetectedFlip
from rfid_reader.flips.tag_rows import ABSENT_S, TagRows
from rfid_reader.reads import ReadTable

REORDER_S = 0.3
MAX_BUFFERED = 400_000
SILENCE_S = 1.0
LONGEST_PAUSE_S = 60.0
LEAST_READS = 12
LEAST_RATE_HZ = 0.4


class RecentReads:
    """The reads of the last `keep_s` seconds as columns, with those a detector adds; at most MAX_BUFFERED."""

    def __init__(self, keep_s: float, extra: tuple[str, ...] = ()) -> None:
        self.keep_s = keep_s
        self.names = ("time_s", "tag", "antenna", "channel", "rssi_dbm", "phase_rad", *extra)
        self._columns: dict[str, NDArray[Any]] = {
            name: np.empty(1024, np.int64 if name == "tag" else np.float64) for name in self.names
        }
        self._start = 0
        self._end = 0

    def append(self, **columns: NDArray[Any]) -> None:
        count = len(columns["time_s"])
        size = self._end - self._start
        capacity = len(self._columns["time_s"])
        if self._end + count > capacity:
            wanted = capacity
            while wanted < 2 * (size + count):
                wanted *= 2
            for name, column in self._columns.items():
                grown = np.empty(wanted, column.dtype)
                grown[:size] = column[self._start : self._end]
                self._columns[name] = grown
            self._start, self._end = 0, size
        for name in self.names:
            self._columns[name][self._end : self._end + count] = columns[name]
        self._end += count
        self._start = max(self._start, self._end - MAX_BUFFERED)

    def forget_before(self, time_s: float) -> None:
        """Drop reads older than `time_s` from the front (out-of-order ones go a little later)."""
        times = self._columns["time_s"][self._start : self._end]
        fresh = np.flatnonzero(times >= time_s)
        self._start = self._start + int(fresh[0]) if len(fresh) else self._end

    def forget_tags(self, tags: NDArray[np.int64]) -> None:
        """Drop the reads of tag rows that now stand for other tags."""
        keep = self._start + np.flatnonzero(~np.isin(self.tags(), tags))
        if len(keep) == self._end - self._start:
            return
        for column in self._columns.values():
            column[: len(keep)] = column[keep]
        self._start, self._end = 0, len(keep)

    def column(self, name: str) -> NDArray[np.float64]:
        return self._columns[name][self._start : self._end]

    def tags(self) -> NDArray[np.int64]:
        column: NDArray[np.int64] = self._columns["tag"][self._start : self._end]
        return column


class TickingDetector(ABC):
    """Base of the detectors: numbers tags, buffers reads, calls `_absorb` and `_tick` at each step.

    `advance` lets time pass only up to SILENCE_S before the time it is told, so that reads on their way still
    find their tick.
    """

    step_s = 0.25
    keep_s = 5.0
    latency_s = 0.0
    extra_columns: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.tag_rows = TagRows()
        self.recent = RecentReads(self.keep_s, self.extra_columns)
        self._next_tick: int | None = None
        self._now_s = -math.inf
        self._pending: list[ReadTable] = []

    def feed(self, reads: ReadTable) -> list[DetectedFlip]:
        if not len(reads):
            return []
        flips: list[DetectedFlip] = []
        latest = np.maximum.accumulate(np.maximum(reads.time_s, self._now_s))
        if self._next_tick is None:
            self._start_at(float(reads.time_s[0]))
        start = 0
        while start < len(reads):
            self._skip_pause(float(latest[start]))
            due_s = self._due_s()
            stop = start + int(np.searchsorted(latest[start:], due_s, side="left"))
            if stop > start:
                self._pending.append(reads.take(slice(start, stop)))
                self._now_s = float(latest[stop - 1])
            if stop < len(reads):
                flips += self._run_ticks(float(latest[stop]))
            start = stop
        return flips

    def advance(self, time_s: float) -> list[DetectedFlip]:
        self._now_s = max(self._now_s, time_s - SILENCE_S)
        return self._run_ticks(self._now_s) if self._next_tick is not None else []

    def finish(self) -> list[DetectedFlip]:
        if self._next_tick is None:
            return []
        last_s = self._now_s + self.latency_s + 2 * self.step_s + REORDER_S
        return self._run_ticks(last_s) + self._judgeable(self._close(last_s))

    def insufficient(self) -> list[str]:
        rows = self.tag_rows.used()
        seldom = [self.tag_rows.epcs[row] for row in rows[self._seldom()[rows]].tolist()]
        return sorted({*seldom, *self.tag_rows.unjudged()})

    def prefer(self, in_stock: Callable[[str], bool]) -> None:
        self.tag_rows.in_stock = in_stock

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()

    @property
    def reads_refused(self) -> int:
        return self.tag_rows.refused

    @property
    def reads_waiting(self) -> int:
        return self.tag_rows.waiting

    @property
    def reads_unreferenced(self) -> int:
        return 0

    def _start_at(self, time_s: float) -> None:
        self._next_tick = math.floor(time_s / self.step_s) + 1

    def _due_s(self) -> float:
        assert self._next_tick is not None
        return self._next_tick * self.step_s + REORDER_S

    def _skip_pause(self, latest_s: float) -> None:
        """After a long pause without reads, close what is open and go on at the present."""
        if latest_s - self._due_s() > LONGEST_PAUSE_S and self._next_tick is not None:
            self._next_tick = math.floor((latest_s - LONGEST_PAUSE_S) / self.step_s)

    def _run_ticks(self, latest_s: float) -> list[DetectedFlip]:
        flips: list[DetectedFlip] = []
        self._skip_pause(latest_s)
        while self._next_tick is not None and self._due_s() <= latest_s:
            self._take_pending()
            flips += self._tick(self._next_tick * self.step_s)
            self._next_tick += 1
        return self._judgeable(flips)

    def _judgeable(self, flips: list[DetectedFlip]) -> list[DetectedFlip]:
        """Flips of tags that are read often enough to be judged, each with its antenna."""
        if not flips:
            return []
        seldom = self._seldom()
        rows = [self.tag_rows.row(flip.epc) for flip in flips]
        pairs = zip(flips, rows, strict=True)
        return [self._placed(flip, row) for flip, row in pairs if row >= 0 and not seldom[row]]

    def _seldom(self) -> NDArray[np.bool_]:
        """Rows of tags that are read too seldom, while they were there."""
        count = len(self.tag_rows.epcs)
        heard, first_s, last_s = (
            column[:count] for column in (self.tag_rows.heard, self.tag_rows.first_s, self.tag_rows.last_s)
        )
        until_s = np.where(self._now_s - last_s > ABSENT_S, last_s, self._now_s)
        passed_s = np.maximum(until_s - first_s, 1.0)
        return np.asarray((heard < LEAST_READS) | (heard / passed_s < LEAST_RATE_HZ))

    def _placed(self, flip: DetectedFlip, row: int) -> DetectedFlip:
        """The flip with the antenna that has read its tag most often."""
        return replace(flip, antenna=int(self.tag_rows.by_antenna[row].argmax()))

    def _take_pending(self) -> None:
        """Absorb what came since the last tick, all at once, so that batches do not matter."""
        if not self._pending:
            return
        reads = ReadTable.concatenate(self._pending)
        self._pending = []
        gone = self.tag_rows.make_room(reads, self._now_s, self._seldom)
        if len(gone):
            self.recent.forget_tags(gone)
            self._forget(gone)
        tags = self.tag_rows.rows(reads.epc)
        known = tags >= 0
        if not known.all():
            reads, tags = reads.take(known), tags[known]
        self.tag_rows.note(tags, reads)
        self._absorb(reads, tags)

    @abstractmethod
    def _forget(self, rows: NDArray[np.int64]) -> None:
        """Rows of tags that are gone: they will stand for other tags."""

    @abstractmethod
    def _absorb(self, reads: ReadTable, tags: NDArray[np.int64]) -> None:
        """Take reads of known tags; called in arrival order."""

    @abstractmethod
    def _tick(self, time_s: float) -> list[DetectedFlip]:
        """Decide at `time_s`; reads up to it have been absorbed (and up to REORDER_S after it)."""

    @abstractmethod
    def _close(self, time_s: float) -> list[DetectedFlip]:
        """Hand out what is still open at the end."""
