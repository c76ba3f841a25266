"""The published reference detector: Jensen-Shannon divergence of frequency shares in adjacent windows.

Per tag and antenna: the spectrum of the RSSI and of the phase in a window of WINDOW_S (2 s), as shares of the
frequencies 0, 0.5, 1 ... 4 Hz; its Jensen-Shannon divergence from the shares of the window before. Reads are
uneven in time, so the spectrum is a Lomb-Scargle periodogram (`spectrum`); the reader hops, so RSSI and phase
are residuals against the tag's own mean on that channel (`reference`); phase wraps and RSSI is a logarithm,
so the series are the phasor and the field amplitude that the residuals stand for, which have their power at
0 Hz while a tag hangs still. The two divergences and the reads they rest on go into a logistic decision,
fitted by `rfid_reader/training/windows.py`; a tick every 0.5 s.

It is the core of what was published, kept as the yardstick: see `tagsight bench flips`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.events import EventRules
from rfid_reader.flips.features.reference import ChannelReference
from rfid_reader.flips.features.spectrum import js_divergence, shares_with_rest
from rfid_reader.flips.methods.windows import WINDOW_S, Window, WindowDetector
from rfid_reader.reads import ReadTable

HIGHEST_HZ = 4.0
FREQUENCIES_HZ = np.arange(1, round(HIGHEST_HZ * WINDOW_S) + 1) / WINDOW_S


class JsDetector(WindowDetector):
    """Streaming reference detector; see the module's docstring for the method and its parameters."""

    extra_columns = ("rssi_residual", "phase_residual")
    least_reads = 4
    # Bias; divergence of the RSSI shares; of the phase shares; log of the reads in the thinner window.
    weights = np.array([-6.913, 10.731, 4.111, 0.623])
    rules = EventRules(start=0.158, stop=0.111, quiet_s=2.0)

    def __init__(self, calibration: AntennaCalibration | None = None) -> None:
        super().__init__()
        self._reference = ChannelReference(calibration)

    @property
    def reads_unreferenced(self) -> int:
        return self._reference.reads_beyond

    def _forget(self, rows: NDArray[np.int64]) -> None:
        super()._forget(rows)
        self._reference.forget(rows)

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
        residual = self.recent.column(name)[window.rows]
        if name == "phase_residual":
            parts: tuple[NDArray[np.float64], ...] = (np.cos(residual), np.sin(residual))
        else:
            parts = (10 ** (residual / 20),)
        return shares_with_rest(window.pair, window.pairs, time_s, parts, FREQUENCIES_HZ)

    def features(self, now: Window, before: Window, time_s: float) -> NDArray[np.float64]:
        fewest = np.minimum(now.counts(), before.counts())
        divergences = [
            js_divergence(self._shares(now, name, time_s), self._shares(before, name, time_s))
            for name in self.extra_columns
        ]
        return np.column_stack([*divergences, np.log(np.maximum(fewest, 1))])
