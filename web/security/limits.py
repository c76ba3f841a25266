"""How often somebody may try: token buckets, a bounded number of them."""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_BUCKETS = 4_096


class RateLimit:
    """`burst` at once, then one every `every_s` seconds, for each key on its own."""

    def __init__(self, burst: int, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._every_s = every_s
        self._clock = clock
        self._full_s: dict[str, float] = {}
        """When each bucket will be full again."""

    def wait_s(self, key: str) -> float:
        """0, and one is taken; or how many seconds until the next may come."""
        now_s = self._clock()
        full_s = max(now_s, self._full_s.pop(key, now_s)) + self._every_s
        over_s = full_s - now_s - self._burst * self._every_s
        self._full_s[key] = full_s if over_s <= 0 else full_s - self._every_s
        while len(self._full_s) > MAX_BUCKETS:
            del self._full_s[next(iter(self._full_s))]
        return max(0.0, over_s)

    def forgive(self, key: str) -> None:
        """Begin anew for that key."""
        self._full_s.pop(key, None)
