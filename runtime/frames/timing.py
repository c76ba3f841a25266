"""Which frames to analyse, and how many were too old. Pure: times in, times out."""

from __future__ import annotations

from collections import deque

STALE_S = 1.0
"""A frame that is this old when it can be read is part of a backlog: skip to the present."""

NOTABLE_STALE = 0.05
"""Share of stale pictures above which it is said."""
STALE_TURN_S, STALE_TURNS = 10.0, 6
STALE_OF = 20
"""A share of fewer pictures says nothing."""


class AnalysisPacer:
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


class StaleShare:
    """How many of a source's pictures are too old to be of use, over the last half to whole minute."""

    def __init__(self) -> None:
        self._turns: deque[tuple[float, int, int]] = deque(maxlen=STALE_TURNS)

    def add(self, time_s: float, delivered: int, stale: int) -> None:
        """At `time_s`, so many more pictures have been delivered, so many of them stale."""
        begun = self._turns and time_s - self._turns[-1][0] < STALE_TURN_S
        since_s, all_before, stale_before = self._turns.pop() if begun else (time_s, 0, 0)
        self._turns.append((since_s, all_before + delivered, stale_before + stale))

    @property
    def remark(self) -> str:
        """That too many are stale, in words; empty if not."""
        delivered = sum(turn[1] for turn in self._turns)
        share = sum(turn[2] for turn in self._turns) / max(delivered, STALE_OF)
        if share <= NOTABLE_STALE:
            return ""
        return f"{share:.0%} of its pictures came too late and were left out: is its network overloaded?"
