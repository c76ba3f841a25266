"""Which frames to analyse, and when a network camera's frame was taken. Pure: times in, times out."""

from __future__ import annotations

STALE_S = JUMP_S = 1.0
"""A frame that is this old when it arrives is part of a backlog, or its source's clock was set back."""


class AnalysisRate:
    """Chooses frames so that about `fps` of them a second are analysed, however uneven they come."""

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self._interval_s = 1.0 / fps
        self._due_s: float | None = None

    def wants(self, time_s: float) -> bool:
        """Whether the frame taken at `time_s` is to be analysed; a step back in time starts afresh."""
        if self._due_s is None or self._due_s - time_s > 2 * self._interval_s:
            self._due_s = time_s
        if time_s < self._due_s - 0.25 * self._interval_s:
            return False
        late = time_s - self._due_s > self._interval_s
        self._due_s = (time_s if late else self._due_s) + self._interval_s
        return True


class SourceClock:
    """Maps a stream's own time stamps to the host's timeline.

    A frame cannot arrive before it was taken, and some arrive with hardly any delay: the least difference
    between arrival and time stamp is the offset. It may grow by `drift` seconds a second, so that a slow
    clock at the source is followed. Frames that are late by more than `jump_s` are a backlog that will drain;
    where they stay late for `patience_s`, the source's clock was set back and the offset starts afresh.
    """

    def __init__(self, drift: float = 200e-6, jump_s: float = JUMP_S, patience_s: float = 3.0) -> None:
        self._drift = drift
        self._jump_s = jump_s
        self._patience_s = patience_s
        self._offset_s: float | None = None
        self._late_since_s: float | None = None
        self._arrived_s = 0.0
        self._time_s = 0.0

    def host_time(self, stamp_s: float, arrived_s: float) -> float:
        """When the frame stamped `stamp_s` was taken; never later than `arrived_s`, never going back."""
        delay_s = arrived_s - stamp_s
        if self._offset_s is None or self._was_set_back(delay_s - self._offset_s, arrived_s):
            self._offset_s = delay_s
        else:
            allowed_s = self._offset_s + self._drift * (arrived_s - self._arrived_s)
            self._offset_s = min(delay_s, allowed_s)
        self._arrived_s = arrived_s
        self._time_s = min(arrived_s, max(self._time_s, stamp_s + self._offset_s))
        return self._time_s

    def _was_set_back(self, late_s: float, arrived_s: float) -> bool:
        if late_s <= self._jump_s:
            self._late_since_s = None
            return False
        if self._late_since_s is None:
            self._late_since_s = arrived_s
        return arrived_s - self._late_since_s > self._patience_s
