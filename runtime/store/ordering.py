"""Records of many cameras and readers in the order in which things happened.

Each record waits `window_s` for others that happened earlier but arrive later (design.md, section 6: 300 ms).
A record older than what has already been released is late: it is counted and handed on at once, and the
rooms behind use it where they still can.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Generic, TypeVar

Record = TypeVar("Record")

DEFAULT_WINDOW_S = 0.3
DEFAULT_CAPACITY = 4096


class ReorderWindow(Generic[Record]):
    """A bounded waiting room that lets records out by their time.

    At `capacity` the oldest record is let out before its wait is over (`crowded`): nothing is lost.
    """

    def __init__(self, window_s: float = DEFAULT_WINDOW_S, capacity: int = DEFAULT_CAPACITY) -> None:
        self.window_s = window_s
        self.capacity = capacity
        self.counts: Counter[str] = Counter(late=0, crowded=0)
        self.released_until_s = float("-inf")
        self._heap: list[tuple[float, int, Record]] = []
        self._pushed = 0

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, time_s: float, record: Record) -> None:
        """Let a record wait for its turn."""
        self.counts["late"] += time_s < self.released_until_s
        heapq.heappush(self._heap, (time_s, self._pushed, record))
        self._pushed += 1

    def release(self, now_s: float) -> list[tuple[float, Record]]:
        """The records whose wait is over at `now_s`, oldest first, with their times."""
        ready: list[tuple[float, Record]] = []
        while self._heap and (self._heap[0][0] <= now_s - self.window_s or len(self._heap) > self.capacity):
            time_s, _, record = heapq.heappop(self._heap)
            self.counts["crowded"] += time_s > now_s - self.window_s
            ready.append((time_s, record))
            self.released_until_s = max(self.released_until_s, time_s)
        return ready

    def drain(self) -> list[tuple[float, Record]]:
        """Everything that still waits, oldest first."""
        return self.release(float("inf"))
