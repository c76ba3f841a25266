"""Reporting intervals, aligned to UTC, cut short only where watching began or stopped."""

from __future__ import annotations

from typing import NamedTuple

MAX_WINDOWS = 1440
"""A longer pause (a machine asleep for days) is reported by its last windows only."""


class Interval(NamedTuple):
    """One reporting interval; `number` counts interval lengths since 1970."""

    number: int
    start_s: float
    end_s: float
    partial: bool

    def key(self, *names: str) -> str:
        """A stable key of a fact about this window: a restart within the interval begins another window."""
        return ":".join((*names, str(round(self.start_s * 1000))))


class IntervalClock:
    """Says which windows are over. `begin_s` is when watching began, taken to the millisecond that keys tell:
    half of one before a boundary, two windows would have the same key."""

    def __init__(self, length_s: float, begin_s: float) -> None:
        self.length_s = length_s
        self.begin_s = round(begin_s, 3)
        self._next = self.index(self.begin_s)

    def index(self, time_s: float) -> int:
        """The window that a moment falls in."""
        return int(time_s // self.length_s)

    @property
    def oldest_open(self) -> int:
        """The first window that has not been reported."""
        return self._next

    def window(self, index: int, until_s: float = float("inf")) -> Interval:
        """The window `index`, cut at `until_s`."""
        start_s, end_s = index * self.length_s, (index + 1) * self.length_s
        cut_start_s, cut_end_s = max(start_s, self.begin_s), min(end_s, until_s)
        return Interval(index, cut_start_s, cut_end_s, (cut_start_s, cut_end_s) != (start_s, end_s))

    def closed(self, settled_s: float) -> list[Interval]:
        """Windows that ended by `settled_s` and were not reported yet, each once."""
        until = self.index(settled_s)
        first = max(self._next, until - MAX_WINDOWS)
        self._next = max(self._next, until)
        return [self.window(index) for index in range(first, until)]

    def cut(self, time_s: float) -> list[Interval]:
        """All windows up to `time_s`, the last one cut short there."""
        windows = self.closed(time_s)
        last = self.window(self._next, time_s)
        if last.end_s > last.start_s:
            windows.append(last)
        self._next += 1
        return windows
