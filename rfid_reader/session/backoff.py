"""How long to wait before trying a reader again."""

from __future__ import annotations

import random


class ReconnectBackoff:
    """Jittered exponential waits: each is 100 % to 150 % of a bound that doubles up to `highest_s`.

    Never less than `first_s`, so that a reader that refuses is not asked more often than that.
    """

    def __init__(self, first_s: float, highest_s: float, random_source: random.Random) -> None:
        self.first_s = first_s
        self.highest_s = highest_s
        self._random = random_source
        self._bound_s = first_s

    def reset(self) -> None:
        self._bound_s = self.first_s

    def next_wait_s(self) -> float:
        bound_s = self._bound_s
        self._bound_s = min(2 * bound_s, self.highest_s)
        return bound_s * self._random.uniform(1.0, 1.5)
