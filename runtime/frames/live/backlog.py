"""How late pictures can be, and how fast a camera's clock runs, judged by arrivals alone. Pure.

Pictures that a network holds up come after a silence, and faster than they are made until the backlog is
gone. That is a queue: the wait of one is the wait of the one before, plus the time between the two arrivals,
less the time between the two pictures, and never less than nothing (D. V. Lindley, The theory of queues with
a single server, 1952). The time between two pictures is taken to be the mean interval of arrivals.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

BLOCK_S, BLOCK_PICTURES = 2.0, 8
"""A block of arrivals has at least so many seconds and pictures; it ends with one that came after a pause, so
that a burst is never cut in two."""
BLOCKS = 7
SETTLING_S = 0.5
"""A camera may send what it kept of the last seconds at once when it is asked: not its usual pace."""
FIRST_PICTURES = 4
SILENCE_S, SILENT_INTERVALS = 0.5, 3.0
"""While the usual pace is not known, a pause that is longer than both is a silence."""
LEAK, LEAK_GAP_S, DRAINING = 0.1, 0.35, 0.8
"""Seconds a second by which a wait shrinks, as the mean interval is not exact: not while silence lasts or
while pictures come faster than usual."""
NEAR = 0.07
"""A stamp's step is believed to be the time between two pictures if it is so near to the usual interval."""
HELD_UP_S = 0.3
DRAINS_WITHIN_S = 0.7
DRAINED_S = 0.15
"""A backlog of more than the first shrinks by the third within the second; if not, it was none."""
STEADY = 0.05
RATE_BLOCKS = 4
OFF_RATE, ON_RATE = 0.03, 0.02
"""A rate that is off by more than the first is corrected until it is off by less than the second."""
SLOWEST, FASTEST = 0.2, 5.0


class Backlog:
    """How late the newest picture may be for having waited behind a silence."""

    __slots__ = (
        "_block",
        "_block_s",
        "_blocks",
        "_held_up_late_s",
        "_held_up_since_s",
        "_since_start_s",
        "interval_s",
        "is_held_up",
        "lateness_s",
    )

    def __init__(self) -> None:
        self.lateness_s = 0.0
        """What the arrivals explain, seconds."""
        self.interval_s = 0.0
        """Usual time between two arrivals; 0 while it is unknown."""
        self.is_held_up = False
        """Whether the pictures that arrive are late for having waited."""
        self._held_up_late_s = self._held_up_since_s = 0.0
        self._since_start_s = 0.0
        self._block_s = 0.0
        self._block = 0
        self._blocks: deque[float] = deque(maxlen=BLOCKS)

    def arrived(self, gap_s: float) -> None:
        """A picture has arrived `gap_s` after the one before."""
        usual_s = self.interval_s or self._without_silence(gap_s)
        lateness_s = self.lateness_s + gap_s - usual_s
        if gap_s > DRAINING * usual_s:
            lateness_s -= LEAK * (gap_s if gap_s < LEAK_GAP_S else LEAK_GAP_S)
        self.lateness_s = lateness_s = lateness_s if lateness_s > 0.0 else 0.0
        self._since_start_s += gap_s
        # A silence and the backlog behind it are no part of the usual pace.
        if lateness_s > HELD_UP_S or self._since_start_s < SETTLING_S:
            return
        self._block_s += gap_s
        self._block += 1
        if self._block >= BLOCK_PICTURES and self._block_s >= BLOCK_S:
            self._blocks.append(self._block_s / self._block)
            self.interval_s = median(self._blocks)
            self._block_s, self._block = 0.0, 0
        elif not self._blocks and self._block >= FIRST_PICTURES:
            self.interval_s = self._block_s / self._block

    def seen(self, late_s: float, step_s: float, arrived_s: float) -> None:
        """By its stamp, the newest picture is `late_s` late and was taken `step_s` after the last."""
        usual_s = self.interval_s
        off_s = step_s - usual_s
        near_s = NEAR * usual_s
        # A step that is further off is no interval between two pictures.
        off_s = near_s if off_s > near_s else -near_s if off_s < -near_s else off_s
        lateness_s = self.lateness_s - off_s
        self.lateness_s = lateness_s if lateness_s < late_s else late_s
        if late_s <= HELD_UP_S:
            self.is_held_up = False
        elif not self.is_held_up or late_s <= self._held_up_late_s - DRAINED_S:
            self.is_held_up = True
            self._held_up_late_s, self._held_up_since_s = late_s, arrived_s
        elif arrived_s - self._held_up_since_s > DRAINS_WITHIN_S:
            self.is_held_up = False
            self.lateness_s = 0.0

    def _without_silence(self, gap_s: float) -> float:
        """The part of an early gap that may be the usual pace; the first of all is, whatever its length."""
        if self._block == 0:
            return gap_s
        return min(gap_s, max(SILENCE_S, SILENT_INTERVALS * self._block_s / self._block))


class Rate:
    """How fast a camera's clock runs: its seconds a second of the host's, by blocks that agree."""

    __slots__ = ("_blocks", "_first", "_start_s", "due_s", "rate")

    def __init__(self) -> None:
        self.rate = 1.0
        self.due_s = -math.inf
        """Arrivals before this one need not be told, unless they are late."""
        self._start_s: tuple[float, float] | None = None
        self._first = 0
        self._blocks: deque[tuple[float, float]] = deque(maxlen=RATE_BLOCKS)

    def begin(self, stamp_s: float, arrived_s: float, picture: int) -> None:
        """The clock was set: stamps before this one, of picture number `picture`, say nothing of those after.

        Blocks that follow on each other share their ends, so that a burst cut in two is one error in all of
        them together; with gaps between them it would be one in each.
        """
        self._blocks.clear()
        self._go_on(stamp_s, arrived_s, picture)

    def _go_on(self, stamp_s: float, arrived_s: float, picture: int) -> None:
        self._start_s = stamp_s, arrived_s
        self._first = picture
        self.due_s = arrived_s + BLOCK_S

    def passed(self, stamp_s: float, arrived_s: float, late_s: float, picture: int) -> None:
        """A stamp that follows on the one before; while a backlog drains, time seems to run fast."""
        if self._start_s is None or late_s > HELD_UP_S:
            self.begin(stamp_s, arrived_s, picture)
            return
        if arrived_s < self.due_s or picture - self._first < BLOCK_PICTURES:
            return
        self._blocks.append((stamp_s - self._start_s[0], arrived_s - self._start_s[1]))
        self._go_on(stamp_s, arrived_s, picture)
        if len(self._blocks) == RATE_BLOCKS:
            self._settle()

    def _settle(self) -> None:
        rates = [stamps_s / arrivals_s for stamps_s, arrivals_s in self._blocks]
        found = sum(block[0] for block in self._blocks) / sum(block[1] for block in self._blocks)
        if not SLOWEST <= found <= FASTEST or max(rates) - min(rates) > STEADY * found:
            return
        limit = OFF_RATE if self.rate == 1.0 else ON_RATE
        self.rate = found if abs(found - 1.0) > limit else 1.0
