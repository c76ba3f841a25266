"""The detector for a store.

Residuals free of channel offsets (`residuals`), binned beside what the rack does and compared with the tag's
own long run by Jensen-Shannon divergence (`activity`), judged by a small network (`network`), trained on
generated stores that share nothing with the tested ones (`bench/flip_training.py`), and weighed over
neighbouring ticks (`smoothing`). Of overlapping candidates on one rack only the strong ones survive.

It decides about a moment LOOK_AHEAD_S and DELAY_TICKS after it; a flip is said at the latest `latency_s`
after its end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.activity import BIN_S, FEATURES, LOOK_AHEAD_BINS, ActivityBins
from rfid_reader.flips.detector import Flip
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.network import Network, load_network
from rfid_reader.flips.residuals import ResidualTracker
from rfid_reader.flips.smoothing import DELAY_TICKS, ScoreSmoother
from rfid_reader.flips.ticks import REORDER_S, TickingDetector
from rfid_reader.reads import ReadTable

LOOK_AHEAD_S = LOOK_AHEAD_BINS * BIN_S


def judged_s(tick_s: float) -> float:
    """The moment that a tick judges: the middle of the bin LOOK_AHEAD_S before the newest one."""
    return tick_s + REORDER_S - BIN_S / 2 - LOOK_AHEAD_S


class ProductionDetector(TickingDetector):
    """Streaming, causal detector; see the module's docstring."""

    step_s = BIN_S

    def __init__(
        self,
        calibration: AntennaCalibration | None = None,
        network: Network | None = None,
        rules: EventRules | None = None,
    ) -> None:
        super().__init__()
        self.tracker = ResidualTracker(calibration)
        self.activity = ActivityBins(self.tracker)
        if network is None or rules is None:
            shipped, shipped_rules = load_network("production", FEATURES)
            network, rules = network or shipped, rules or shipped_rules
        self.network: Callable[[NDArray[np.float32]], NDArray[np.float64]] = network
        self.events = EventMaker(rules, self.tag_rows.epcs, BIN_S / 2)
        self._smoother = ScoreSmoother()
        self._last_tick: int | None = None
        self.latency_s = LOOK_AHEAD_S + DELAY_TICKS * BIN_S + self.events.latency_s
        self._new: tuple[ReadTable, NDArray[np.int64]] = (ReadTable.empty(), np.zeros(0, np.int64))

    @property
    def reads_unreferenced(self) -> int:
        return self.tracker.reference.reads_beyond

    def _forget(self, rows: NDArray[np.int64]) -> None:
        self.tracker.forget(rows)
        self.activity.forget(rows)

    def _absorb(self, reads: ReadTable, tags: NDArray[np.int64]) -> None:
        self._new = (reads, tags)

    def step(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Turn the reads since the last tick into a bin; returns the rows worth judging and every row's
        group.
        """
        if (
            self._last_tick is not None
            and self._next_tick is not None
            and self._next_tick > self._last_tick + 1
        ):
            self.activity.resume()
            self._smoother = ScoreSmoother()
        self._last_tick = self._next_tick
        (reads, tags), self._new = self._new, (ReadTable.empty(), np.zeros(0, np.int64))
        count = len(self.tag_rows.epcs)
        residuals = self.tracker.take(reads, tags, self.tag_rows.epcs)
        groups = self.activity.step(residuals, tags, count)
        return self.activity.candidates(count), groups

    def _tick(self, time_s: float) -> list[Flip]:
        rows, groups = self.step()
        scores = self.network(self.activity.features(rows)) if len(rows) else np.zeros(0)
        rows, scores = self._smoother.tick(rows, scores)
        return self.events.tick(judged_s(time_s) - DELAY_TICKS * BIN_S, rows, scores, groups[rows])

    def _close(self, time_s: float) -> list[Flip]:
        return self.events.close(time_s)
