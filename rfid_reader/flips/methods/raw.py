"""The baseline: the values of RSSI and phase in a window, as the published comparison used them.

Per tag and antenna, over WINDOW_S (2 s): spread and range of the RSSI, circular spread of the phase, and the
steps of both means from the window before; a logistic decision, fitted by `rfid_reader/training/windows.py`;
a tick every 0.5 s. The values are not referenced per channel: on a hopping reader the channels' own offsets
are part of what it sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.events import EventRules
from rfid_reader.flips.methods.windows import Window, WindowDetector
from rfid_reader.reads import ReadTable

Array = NDArray[np.float64]


class RawDetector(WindowDetector):
    """Streaming baseline detector on raw values. It has no use for a calibration."""

    # Bias; RSSI spread and range (dB); phase spread (0..1); RSSI step (dB); phase step (0..1).
    weights = np.array([-6.857, 0.548, -0.082, 1.219, 0.213, -0.389])
    rules = EventRules(start=0.149, stop=0.104, quiet_s=2.0)

    def __init__(self, calibration: AntennaCalibration | None = None) -> None:
        super().__init__()

    def _absorb(self, reads: ReadTable, tags: NDArray[np.int64]) -> None:
        known = ~(np.isnan(reads.phase_rad) | np.isnan(reads.rssi_dbm))
        self.recent.append(
            time_s=reads.time_s[known],
            tag=tags[known],
            antenna=reads.antenna[known],
            channel=reads.channel[known],
            rssi_dbm=reads.rssi_dbm[known],
            phase_rad=reads.phase_rad[known],
        )

    def features(self, now: Window, before: Window, time_s: float) -> Array:
        rssi, phase = self.recent.column("rssi_dbm"), self.recent.column("phase_rad")
        mean, spread, span = _moments(now, rssi[now.rows])
        old_mean, _, _ = _moments(before, rssi[before.rows])
        turn, old_turn = _mean_phasor(now, phase[now.rows]), _mean_phasor(before, phase[before.rows])
        return np.column_stack(
            [spread, span, 1 - np.abs(turn), np.abs(mean - old_mean), np.abs(turn - old_turn) / 2]
        )


def _moments(window: Window, value: Array) -> tuple[Array, Array, Array]:
    """Mean, standard deviation and range of each pair."""
    count = np.maximum(window.counts(), 1)
    mean = np.bincount(window.pair, value, window.pairs) / count
    variance = np.bincount(window.pair, (value - mean[window.pair]) ** 2, window.pairs) / count
    lowest, highest = np.full(window.pairs, np.inf), np.full(window.pairs, -np.inf)
    np.minimum.at(lowest, window.pair, value)
    np.maximum.at(highest, window.pair, value)
    span = np.where(window.counts() > 0, highest - lowest, 0.0)
    return mean, np.sqrt(np.maximum(variance, 0)), span


def _mean_phasor(window: Window, phase_rad: Array) -> NDArray[np.complex128]:
    count = np.maximum(window.counts(), 1)
    real = np.bincount(window.pair, np.cos(phase_rad), window.pairs)
    imaginary = np.bincount(window.pair, np.sin(phase_rad), window.pairs)
    return np.asarray((real + 1j * imaginary) / count, np.complex128)
