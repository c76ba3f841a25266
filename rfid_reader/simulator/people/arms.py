"""Arms of people: scatterers that move while a body stands still.

Two arms a person, swinging beside the body, faster and wider at times; their figures follow from a seed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
REACH_M = (0.25, 0.5)
TWO_PI = 2 * math.pi


class Arms:
    """The arms of `people` persons."""

    def __init__(self, people: int, rng: np.random.Generator) -> None:
        self._swing_hz = rng.uniform(0.4, 1.1, (people, 2, 1))
        self._swing_phase = rng.uniform(0, TWO_PI, (people, 2, 1))
        self._calm_hz = rng.uniform(0.03, 0.12, (people, 2, 1))
        self._calm_phase = rng.uniform(0, TWO_PI, (people, 2, 1))
        self._heading = rng.uniform(0, TWO_PI, (people, 1, 1)) + np.array([[[0.0], [math.pi]]])
        self._reach_m = rng.uniform(*REACH_M, (people, 2, 1))

    def positions(self, people_xy: Array, time_s: Array) -> Array:
        """Hands (2 * people, times, 3) of bodies at (people, times, 2), metres; NaN while one is away."""
        busy = 0.5 + 0.5 * np.sin(TWO_PI * self._calm_hz * time_s + self._calm_phase)
        swing = busy**2 * np.sin(TWO_PI * self._swing_hz * time_s + self._swing_phase)
        angle = self._heading + TWO_PI * 0.02 * time_s + 0.9 * swing
        hands = np.empty((*angle.shape, 3))
        hands[..., 0] = people_xy[:, None, :, 0] + self._reach_m * np.cos(angle)
        hands[..., 1] = people_xy[:, None, :, 1] + self._reach_m * np.sin(angle)
        hands[..., 2] = 1.05 + 0.3 * swing
        return hands.reshape(-1, len(time_s), 3)
