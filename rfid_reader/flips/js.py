"""The published reference detector: Jensen-Shannon divergence of frequency shares in adjacent windows.

Per tag and antenna: the spectrum of the RSSI and of the phase in a window of WINDOW_S, as shares of the
frequencies 1/WINDOW_S ... HIGHEST_HZ; its Jensen-Shannon divergence from the shares of the window before.
Reads are uneven in time, so the spectrum is a Lomb-Scargle periodogram (`spectrum`); the reader hops, so RSSI
and phase are residuals against the tag's own mean on that channel (`reference`). The two divergences and the
reads they rest on go into a logistic decision; of a tag's antennas the most convinced counts.

It is the core of what was published, kept as the yardstick. A calm tag has a spectrum of noise, whose shares
differ from window to window almost as much as a turned garment's do: see `tagsight bench flips`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.detector import Flip
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.reference import ChannelReference
from rfid_reader.flips.spectrum import js_divergence, spectral_shares
from rfid_reader.flips.ticks import TickingDetector
from rfid_reader.reads import ReadTable

WINDOW_S = 2.0
HIGHEST_HZ = 4.0
FREQUENCIES_HZ = np.arange(1, round(HIGHEST_HZ * WINDOW_S) + 1) / WINDOW_S
LEAST_WINDOW_READS = 4
# Logistic weights of: bias, divergence of RSSI shares, of phase shares, log of the reads in the thinner
# window.
WEIGHTS = np.array([-4.6, 2.2, 4.6, 0.9])
ANTENNAS = 256


class JsDetector(TickingDetector):
    """Streaming reference detector; see the module's docstring for the method and its parameters."""

    step_s = 0.5
    keep_s = 2 * WINDOW_S + 1.0
    extra_columns = ("rssi_residual", "phase_residual")

    def __init__(self, calibration: AntennaCalibration | None = None) -> None:
        super().__init__()
        self._reference = ChannelReference(calibration)
        rules = EventRules(start=0.5, stop=0.4, least_ticks=2)
        self._events = EventMaker(rules, self.tag_rows.epcs, WINDOW_S / 2)
        self.latency_s = self._events.latency_s

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

    def _shares(
        self, rows: NDArray[np.int64], pair: NDArray[np.int64], pairs: int, start_s: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        time_s = self.recent.column("time_s")[rows] - start_s
        rssi = spectral_shares(pair, pairs, time_s, self.recent.column("rssi_residual")[rows], FREQUENCIES_HZ)
        phase = spectral_shares(
            pair, pairs, time_s, self.recent.column("phase_residual")[rows], FREQUENCIES_HZ
        )
        return rssi, phase, np.bincount(pair, minlength=pairs).astype(np.float64)

    def _tick(self, time_s: float) -> list[Flip]:
        self.recent.forget_before(time_s - self.keep_s)
        times = self.recent.column("time_s")
        now = np.flatnonzero((times > time_s - WINDOW_S) & (times <= time_s))
        before = np.flatnonzero((times > time_s - 2 * WINDOW_S) & (times <= time_s - WINDOW_S))
        tags, scores = self._scores(now, before, time_s)
        return self._events.tick(time_s, tags, scores, np.arange(len(tags)))

    def _scores(
        self, now: NDArray[np.int64], before: NDArray[np.int64], time_s: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        keys = self.recent.tags() * ANTENNAS + self.recent.column("antenna").astype(np.int64)
        pairs, place = np.unique(keys[np.concatenate([now, before])], return_inverse=True)
        if not len(pairs):
            return np.zeros(0, np.int64), np.zeros(0)
        now_rssi, now_phase, now_count = self._shares(now, place[: len(now)], len(pairs), time_s)
        old_rssi, old_phase, old_count = self._shares(before, place[len(now) :], len(pairs), time_s)
        fewest = np.minimum(now_count, old_count)
        features = np.column_stack(
            [
                np.ones(len(pairs)),
                js_divergence(now_rssi, old_rssi),
                js_divergence(now_phase, old_phase),
                np.log(np.maximum(fewest, 1)),
            ]
        )
        score = np.where(fewest >= LEAST_WINDOW_READS, 1 / (1 + np.exp(-features @ WEIGHTS)), 0.0)
        tags, tag_place = np.unique(pairs // ANTENNAS, return_inverse=True)
        best = np.zeros(len(tags))
        np.maximum.at(best, tag_place, score)
        return tags, best

    def _close(self, time_s: float) -> list[Flip]:
        return self._events.close(time_s)
