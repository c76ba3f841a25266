"""What the reference and the baseline share: features of adjacent windows per tag and antenna, a logistic
decision.

At every tick the last WINDOW_S of each tag-antenna pair is compared with the WINDOW_S before it. A logistic
function of the pair's features is its score; of a tag's antennas the most convinced counts.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.detector import DetectedFlip
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.ticks import REORDER_S, TickingDetector

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
WINDOW_S = 2.0
ANTENNAS = 256


@dataclass(frozen=True)
class Window:
    """Reads of one window: their rows in the buffer, and which pair each belongs to (0..pairs - 1)."""

    rows: Rows
    pair: Rows
    pairs: int

    def counts(self) -> Array:
        return np.bincount(self.pair, minlength=self.pairs).astype(np.float64)


class WindowDetector(TickingDetector):
    """Base of `js` and `raw`. `weights` are those of a leading 1 and the features; a pair with fewer than
    `least_reads` in either window scores 0."""

    step_s = 0.5
    keep_s = 2 * WINDOW_S + 1.0
    least_reads = 3
    weights: Array
    rules: EventRules

    def __init__(self) -> None:
        super().__init__()
        self.events = EventMaker(self.rules, self.tag_rows.epcs, self.step_s / 2)
        self.latency_s = WINDOW_S / 2 + self.events.latency_s

    def _forget(self, rows: Rows) -> None:
        """Nothing is remembered beyond the window, but for what is open."""
        self.events.forget(rows)

    @abstractmethod
    def features(self, now: Window, before: Window, time_s: float) -> Array:
        """Features (pairs, n) of pairs seen in either window; times count from `time_s`."""

    def pair_features(self, time_s: float) -> tuple[Rows, Array, NDArray[np.bool_]]:
        """Tag row and features of every pair at a tick, and whether it was read often enough."""
        self.recent.forget_before(time_s - self.keep_s)
        end_s = time_s + REORDER_S
        times = self.recent.column("time_s")
        now = np.flatnonzero((times > end_s - WINDOW_S) & (times <= end_s))
        before = np.flatnonzero((times > end_s - 2 * WINDOW_S) & (times <= end_s - WINDOW_S))
        keys = self.recent.tags() * ANTENNAS + self.recent.column("antenna").astype(np.int64)
        pairs, place = np.unique(keys[np.concatenate([now, before])], return_inverse=True)
        first = Window(now, place[: len(now)], len(pairs))
        second = Window(before, place[len(now) :], len(pairs))
        often = np.minimum(first.counts(), second.counts()) >= self.least_reads
        values = self.features(first, second, end_s) if len(pairs) else np.zeros((0, len(self.weights) - 1))
        return pairs // ANTENNAS, values, often

    def judged_s(self, tick_s: float) -> float:
        """The moment a tick judges: the middle of its newer window."""
        return tick_s + REORDER_S - WINDOW_S / 2

    def _tick(self, time_s: float) -> list[DetectedFlip]:
        pair_tag, values, often = self.pair_features(time_s)
        logit = self.weights[0] + values @ self.weights[1:]
        score = np.where(often, 1 / (1 + np.exp(-logit)), 0.0)
        tags, place = np.unique(pair_tag, return_inverse=True)
        best = np.zeros(len(tags))
        np.maximum.at(best, place, score)
        return self.events.tick(self.judged_s(time_s), tags, best, tags)

    def _close(self, time_s: float) -> list[DetectedFlip]:
        return self.events.close(time_s)
