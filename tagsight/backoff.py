"""When to try again what has failed: a camera, a reader, the broker. Pure: time and chance are arguments."""

from __future__ import annotations

import random

AROUND = (0.7, 1.3)
"""Waits are spread about their bound."""
BEYOND = (1.0, 1.5)
"""Waits are spread above their bound: who asked for a pause is never asked sooner."""


class Backoff:
    """Waits grow by `factor` from `first_s` to `longest_s`, each times a number drawn evenly from `spread`.

    So cameras that lost their switch together, or shops that lost their broker, do not come back together.

    What has worked for `stable_s` starts from `first_s` again; what fails at once does not.
    """

    def __init__(
        self,
        rng: random.Random,
        first_s: float = 0.5,
        longest_s: float = 30.0,
        factor: float = 2.0,
        spread: tuple[float, float] = AROUND,
        stable_s: float = 10.0,
    ) -> None:
        self._rng = rng
        self._first_s = first_s
        self._longest_s = longest_s
        self._factor = factor
        self._spread = spread
        self._stable_s = stable_s
        self._next_s = first_s
        self._working_since_s: float | None = None

    def worked(self, now_s: float) -> None:
        """A frame came, a connection stands."""
        if self._working_since_s is None:
            self._working_since_s = now_s
        elif now_s - self._working_since_s >= self._stable_s:
            self.reset()

    def reset(self) -> None:
        """The next wait is the first one again."""
        self._next_s = self._first_s

    def failed(self, least_s: float = 0.0) -> float:
        """It failed: seconds to wait, at least `least_s` before the spread."""
        self._working_since_s = None
        wait_s = max(self._next_s, least_s)
        self._next_s = min(self._next_s * self._factor, self._longest_s)
        return wait_s * self._rng.uniform(*self._spread)
