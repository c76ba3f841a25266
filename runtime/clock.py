"""One steady timeline for every process of the box.

All records carry UTC seconds that never step: the wall clock is read once, and from then on time
advances with the machine's monotonic clock. The small difference that NTP builds up is slewed away
at no more than `MAX_SLEW` so that intervals stay true; a step of the wall clock (an operator, a dead
RTC battery) is slewed at the same pace and reported by `offset_s`: beyond half a minute the supervisor
starts every process anew on the new time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_SLEW = 500e-6
"""Seconds of correction per second, the rate adjtime(3) uses."""


class HostClock:
    """UTC seconds on a timeline that never steps back; threads may share one.

    Processes started from the same `HostClock.state` agree to within the slew.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        state: tuple[float, float] | None = None,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._state = state if state is not None else (wall(), monotonic())

    @property
    def state(self) -> tuple[float, float]:
        """(UTC seconds, monotonic seconds) of the last reading: hand it to another process."""
        return self._state

    def now(self) -> float:
        """UTC seconds now; each call is at least as late as the one before."""
        # Read and written as one: the two halves of two threads' readings do not belong together.
        utc_s, last_mono_s = self._state
        mono_s = max(last_mono_s, self._monotonic())
        elapsed_s = mono_s - last_mono_s
        steady_s = utc_s + elapsed_s
        allowed_s = MAX_SLEW * elapsed_s
        now_s = steady_s + min(allowed_s, max(-allowed_s, self._wall() - steady_s))
        self._state = now_s, mono_s
        return now_s

    def offset_s(self) -> float:
        """How far the wall clock is ahead of this timeline, in seconds."""
        return self._wall() - self.now()
