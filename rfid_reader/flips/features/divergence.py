"""Jensen-Shannon divergence of a tag's residuals over two seconds, from its long run and from the two seconds
before: of the distribution of residual phases, and of residual levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.features.residual_table import Residuals
from rfid_reader.flips.features.spectrum import js_divergence

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
PHASE_EDGES = np.linspace(-np.pi, np.pi, 9)[1:-1]
RSSI_EDGES = np.array([-6.0, -3.0, -1.0, 1.0, 3.0, 6.0])
PHASES, CELLS = 8, 8 + 7
WINDOW_BINS = 4
LONG_RUN_BINS = 120.0
DIVERGENCES = 4


class ResidualHistograms:
    """Counts of residuals by tag row: of the last two windows of bins, and of the long run."""

    def __init__(self) -> None:
        self._recent = np.zeros((0, 2 * WINDOW_BINS, CELLS), np.float32)
        self._long_run = np.zeros((0, CELLS), np.float32)

    def grow(self, tags: int) -> None:
        """Make room for `tags` rows."""
        more = tags - len(self._long_run)
        self._recent = np.concatenate([self._recent, np.zeros((more, *self._recent.shape[1:]), np.float32)])
        self._long_run = np.concatenate([self._long_run, np.zeros((more, CELLS), np.float32)])

    def forget(self, rows: Rows) -> None:
        """Begin anew with tag rows that now stand for other tags."""
        self._recent[rows], self._long_run[rows] = 0, 0

    def resume(self) -> None:
        """Forget the windows at hand: time has passed without reads."""
        self._recent[:] = 0

    def add(self, residuals: Residuals, tags: int) -> None:
        """Add one bin."""
        phase_cell = np.searchsorted(PHASE_EDGES, residuals.phase_rad)
        rssi_cell = np.searchsorted(RSSI_EDGES, residuals.rssi_db) + PHASES
        now = np.bincount(residuals.tag * CELLS + phase_cell, minlength=tags * CELLS)
        now = now + np.bincount(residuals.tag * CELLS + rssi_cell, minlength=tags * CELLS)
        counts = now.reshape(tags, CELLS).astype(np.float32)
        self._recent[:tags, :-1] = self._recent[:tags, 1:]
        self._recent[:tags, -1] = counts
        self._long_run[:tags] += (counts - self._long_run[:tags]) / LONG_RUN_BINS

    def divergences(self, rows: Rows) -> Array:
        """(n, DIVERGENCES) of tag rows: phase from the long run and from before, level likewise."""
        recent = self._recent[rows].astype(np.float64)
        now, before = recent[:, WINDOW_BINS:].sum(1), recent[:, :WINDOW_BINS].sum(1)
        long_run = self._long_run[rows].astype(np.float64)
        columns = []
        for part in (slice(0, PHASES), slice(PHASES, CELLS)):
            shares = [
                _shares(counts[:, part], prior)
                for counts, prior in ((now, 0.1), (before, 0.1), (long_run, 1e-3))
            ]
            columns += [js_divergence(shares[0], shares[2]), js_divergence(shares[0], shares[1])]
        return np.column_stack(columns)


def _shares(counts: Array, prior: float) -> Array:
    smoothed = counts + prior
    return np.asarray(smoothed / smoothed.sum(1, keepdims=True))
