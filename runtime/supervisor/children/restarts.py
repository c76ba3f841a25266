"""When a process that died may start again."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """Exponential back-off with jitter; after `budget` deaths within `window_s`, only every `degraded_s`."""

    first_s: float = 0.25
    factor: float = 2.0
    longest_s: float = 15.0
    budget: int = 8
    window_s: float = 300.0
    degraded_s: float = 60.0


class Restarts:
    """The deaths of one process and what they mean for its next start."""

    def __init__(self, policy: RestartPolicy, rng: random.Random) -> None:
        self.policy = policy
        self._rng = rng
        self._deaths: deque[float] = deque(maxlen=policy.budget)
        self.total = 0

    def died(self, now_s: float) -> float:
        """Note a death; returns the time from which the process may start again."""
        self.total += 1
        self._deaths.append(now_s)
        policy = self.policy
        if self.degraded(now_s):
            wait_s = policy.degraded_s
        else:
            recent = sum(now_s - death < policy.window_s for death in self._deaths)
            wait_s = min(policy.longest_s, policy.first_s * policy.factor ** (recent - 1))
        return now_s + wait_s * self._rng.uniform(0.75, 1.25)

    def degraded(self, now_s: float) -> bool:
        """Whether the process has used up its budget: the rest of the box runs on without it."""
        full = len(self._deaths) == self.policy.budget
        return full and now_s - self._deaths[0] < self.policy.window_s
