"""Which frames to analyse, and how many were too old. Pure: times in, times out."""

from __future__ import annotations

STALE_S = 1.0
"""A frame that is this old when it can be read is part of a backlog: skip to the present."""


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
