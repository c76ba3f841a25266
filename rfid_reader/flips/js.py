"""The published reference detector: Jensen-Shannon divergence of frequency shares in adjacent windows.

Per tag and antenna: the spectrum of the RSSI and of the phase in a window of WINDOW_S (2 s), as shares of the
frequencies 0.5, 1 ... 4 Hz; its Jensen-Shannon divergence from the shares of the window before. Reads are
uneven in time, so the spectrum is a Lomb-Scargle periodogram (`spectrum`); the reader hops, so RSSI and phase
are residuals against the tag's own mean on that channel (`reference`). The two divergences and the reads they
rest on go into a logistic decision, fitted by `bench/flip_training.py`; a tick every 0.5 s.

It is the core of what was published, kept as the yardstick. A calm tag has a spectrum of noise, whose shares
differ from window to window almost as much as a turned garment's do: see `tagsight bench flips`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.events import EventRules
from rfid_reader.flips.reference import ChannelReference
from rfid_reader.flips.spectrum import js_divergence, spectral_shares
from rfid_reader.flips.windows import WINDOW_S, Window, WindowDetector
from rfid_reader.reads import ReadTable

HIGHEST_HZ = 4.0
FREQUENCIES_HZ = np.arange(1, round(HIGHEST_HZ * WINDOW_S) + 1) / WINDOW_S


class JsDetector(WindowDetector):
    """Streaming reference detector; see the module's docstring for the method and its parameters."""

    extra_columns = ("rssi_residual", "phase_residual")
    least_reads = 4
    # Bias; divergence of the RSSI shares; of the phase shares; log of the reads in the thinner window.
    weights = np.array([-5.797, 0.943, 0.41, 0.172])
    rules = EventRules(start=0.0048, stop=0.0043, least_ticks=2)

    def __init__(self, calibration: AntennaCalibration | None = None) -> None:
        super().__init__()
        self._reference = ChannelReference(calibration)

    def _absorb(self, reads: ReadTable, tags: NDArray[np.int64]) -> None:
        antenna = self._reference.antenna_rows(reads.antenna)
        rssi, phase, count = self._reference.residuals(
            self.tag_rows.epcs, tags, antenna, reads.channel, reads.rssi_dbm, reads.phase_rad
        )
        self._reference.learn(tags, antenna, reads.channel, reads.rssi_dbm, reads.phase_rad)
        known = count > 0
        self.recent.append(
            time_s=reads.time_s[known],
            tag=tags[known],
            antenna=antenna[known],
            channel=reads.channel[known],
            rssi_dbm=reads.rssi_dbm[known],
            phase_rad=reads.phase_rad[known],
            rssi_residual=rssi[known],
            phase_residual=phase[known],
        )

    def _shares(self, window: Window, name: str, end_s: float) -> NDArray[np.float64]:
        time_s = self.recent.column("time_s")[window.rows] - end_s
        value = self.recent.column(name)[window.rows]
        return spectral_shares(window.pair, window.pairs, time_s, value, FREQUENCIES_HZ)

    def features(self, now: Window, before: Window, time_s: float) -> NDArray[np.float64]:
        fewest = np.minimum(now.counts(), before.counts())
        divergences = [
            js_divergence(self._shares(now, name, time_s), self._shares(before, name, time_s))
            for name in self.extra_columns
        ]
        return np.column_stack([*divergences, np.log(np.maximum(fewest, 1))])
