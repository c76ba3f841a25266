"""When to try again what has failed, a camera or the broker. Pure: time and chance are arguments."""

from __future__ import annotations

import random


class Backoff:
    """Waits grow by `factor` from `first_s` to `longest_s`, each spread by `jitter` so that cameras that
    lost their switch together, or stores that lost their broker, do not all come back together.

    What has worked for `stable_s` starts from `first_s` again; what fails at once does not.
    """

    def __init__(
        self,
        rng: random.Random,
        first_s: float = 0.5,
        longest_s: float = 30.0,
        factor: float = 2.0,
        jitter: float = 0.3,
        stable_s: float = 10.0,
    ) -> None:
        self._rng = rng
        self._first_s = first_s
        self._longest_s = longest_s
        self._factor = factor
        self._jitter = jitter
        self._stable_s = stable_s
        self._next_s = first_s
        self._working_since_s: float | None = None

    def worked(self, now_s: float) -> None:
        """A picture came, a connection stands."""
        if self._working_since_s is None:
            self._working_since_s = now_s
        elif now_s - self._working_since_s >= self._stable_s:
            self._next_s = self._first_s

    def failed(self, least_s: float = 0.0) -> float:
        """It failed: seconds to wait, at least `least_s` before the jitter."""
        self._working_since_s = None
        wait_s = max(self._next_s, least_s)
        self._next_s = min(self._next_s * self._factor, self._longest_s)
        return wait_s * (1.0 + self._jitter * (2.0 * self._rng.random() - 1.0))
