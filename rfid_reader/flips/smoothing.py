"""Scores of a tag, weighed over neighbouring ticks: a turn lasts longer than one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
TAPS = np.array([0.25, 0.5, 0.25])
DELAY_TICKS = 1
NOT_JUDGED = -5.0
"""Log-odds of a tag at a tick at which it was not worth judging."""


class ScoreSmoother:
    """A weighted mean of log-odds over the last three ticks, by tag row; it speaks of the tick before the
    newest."""

    def __init__(self) -> None:
        self._odds = np.zeros((0, len(TAPS)))

    def tick(self, tags: Rows, scores: Array) -> tuple[Rows, Array]:
        """Take the scores (0..1) of one tick; returns tag rows and scores of the tick before it."""
        highest = int(tags.max()) + 1 if len(tags) else 0
        if highest > len(self._odds):
            grown = np.full((max(highest, 2 * len(self._odds)), len(TAPS)), NOT_JUDGED)
            grown[: len(self._odds)] = self._odds
            self._odds = grown
        self._odds[:, :-1] = self._odds[:, 1:]
        self._odds[:, -1] = NOT_JUDGED
        clipped = np.clip(scores, 0.0067, 1 - 1e-4)
        self._odds[tags, -1] = np.log(clipped / (1 - clipped))
        judged = np.flatnonzero((self._odds > NOT_JUDGED).any(1))
        return judged, 1 / (1 + np.exp(-(self._odds[judged] @ TAPS)))
