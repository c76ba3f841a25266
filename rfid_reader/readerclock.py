"""Reader time to host time.

A read arrives some latency after the reader stamped it. The smallest difference "host at arrival minus reader
stamp" over the last minute is the offset with the least latency in it. A minute is short enough for the drift
of two clocks (50 ppm makes 3 ms) and long enough to meet a read that was quick. A reader clock that stands at
2000-01-01 or in the future is only another offset.
"""

from __future__ import annotations

from collections import deque

SLICE_S = 5.0
SLICES = 12
STEP_BACK_S = 0.1
LONGEST_LATENCY_S = 30.0
HIGHEST_DRIFT = 5e-4


class ReaderClock:
    """Maps a reader's stamps (microseconds) to host UTC seconds, following offset and drift.

    A mapped time is never later than the arrival. A stamp that is earlier than the one before by more than
    STEP_BACK_S, or that would mean a latency over LONGEST_LATENCY_S, is a step of the reader's clock: the
    offset starts afresh, and `steps` counts it.
    """

    def __init__(self) -> None:
        self.steps = 0
        self._slices: deque[tuple[float, float]] = deque(maxlen=SLICES)
        self._slice_start_s = 0.0
        self._last_stamp_s = 0.0

    @property
    def offset_s(self) -> float | None:
        """Host time minus reader time, None before the first stamp."""
        return self._best_offset() if self._slices else None

    def drift(self) -> float:
        """Seconds a second by which the host gains on the reader (0 while too little is known)."""
        if len(self._slices) < 4:
            return 0.0
        first, last = self._slices[0], self._slices[-2]
        slope = (last[1] - first[1]) / max(last[0] - first[0], SLICE_S)
        return max(-HIGHEST_DRIFT, min(HIGHEST_DRIFT, slope))

    def _restart(self) -> None:
        self.steps += 1
        self._slices.clear()

    def to_host(self, stamp_us: int, arrived_s: float) -> float:
        """Host time of a stamp that arrived at `arrived_s`, UTC seconds."""
        stamp_s = stamp_us / 1e6
        offset_s = arrived_s - stamp_s
        if self._slices:
            stepped_back = stamp_s < self._last_stamp_s - STEP_BACK_S
            if stepped_back or offset_s - self._best_offset() > LONGEST_LATENCY_S:
                self._restart()
        self._last_stamp_s = stamp_s
        if not self._slices or arrived_s - self._slice_start_s >= SLICE_S:
            self._slice_start_s = arrived_s
            self._slices.append((arrived_s, offset_s))
        elif offset_s < self._slices[-1][1]:
            self._slices[-1] = (self._slices[-1][0], offset_s)
        return min(arrived_s, stamp_s + self._best_offset())

    def _best_offset(self) -> float:
        return min(offset for _, offset in self._slices)
