"""The baseline: the values of RSSI and phase in a window, as the published comparison used them.

Per tag and antenna, over WINDOW_S: spread of the RSSI, range of the RSSI, circular spread of the phase, and
the steps of both means from the window before; a logistic decision; of a tag's antennas the most convinced
counts. The values are not referenced per channel: on a hopping reader the channels' own offsets are part of
what it sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.detector import Flip
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.ticks import TickingDetector
from rfid_reader.reads import ReadTable

Array = NDArray[np.float64]
WINDOW_S = 2.0
LEAST_WINDOW_READS = 3
ANTENNAS = 256
# Logistic weights of: bias, RSSI spread and range (dB), phase spread (0..1), RSSI step (dB), phase step
# (0..1).
WEIGHTS = np.array([-5.2, 0.35, 0.15, 2.4, 0.30, 1.2])


class RawDetector(TickingDetector):
    """Streaming baseline detector on raw values."""

    step_s = 0.5
    keep_s = 2 * WINDOW_S + 1.0

    def __init__(self, calibration: AntennaCalibration | None = None) -> None:
        super().__init__()
        rules = EventRules(start=0.5, stop=0.35, least_ticks=2)
        self._events = EventMaker(rules, self.tag_rows.epcs, WINDOW_S / 2)
        self.latency_s = self._events.latency_s

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

    def _tick(self, time_s: float) -> list[Flip]:
        self.recent.forget_before(time_s - self.keep_s)
        times = self.recent.column("time_s")
        now = np.flatnonzero((times > time_s - WINDOW_S) & (times <= time_s))
        before = np.flatnonzero((times > time_s - 2 * WINDOW_S) & (times <= time_s - WINDOW_S))
        tags, scores = self._scores(now, before)
        return self._events.tick(time_s, tags, scores, np.arange(len(tags)))

    def _scores(self, now: NDArray[np.int64], before: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
        keys = self.recent.tags() * ANTENNAS + self.recent.column("antenna").astype(np.int64)
        pairs, place = np.unique(keys[np.concatenate([now, before])], return_inverse=True)
        if not len(pairs):
            return np.zeros(0, np.int64), np.zeros(0)
        new, old = place[: len(now)], place[len(now) :]
        rssi, phasor = self.recent.column("rssi_dbm"), np.exp(1j * self.recent.column("phase_rad"))
        count, mean, spread, span = _moments(new, len(pairs), rssi[now])
        old_count, old_mean, _, _ = _moments(old, len(pairs), rssi[before])
        turn, old_turn = (
            _mean_phasor(new, len(pairs), phasor[now]),
            _mean_phasor(old, len(pairs), phasor[before]),
        )
        features = np.column_stack(
            [
                np.ones(len(pairs)),
                spread,
                span,
                1 - np.abs(turn),
                np.abs(mean - old_mean),
                np.abs(turn - old_turn) / 2,
            ]
        )
        enough = np.minimum(count, old_count) >= LEAST_WINDOW_READS
        score = np.where(enough, 1 / (1 + np.exp(-features @ WEIGHTS)), 0.0)
        tags, tag_place = np.unique(pairs // ANTENNAS, return_inverse=True)
        best = np.zeros(len(tags))
        np.maximum.at(best, tag_place, score)
        return tags, best

    def _close(self, time_s: float) -> list[Flip]:
        return self._events.close(time_s)


def _moments(group: NDArray[np.int64], groups: int, value: Array) -> tuple[Array, Array, Array, Array]:
    """Count, mean, standard deviation and range of each group."""
    count = np.bincount(group, minlength=groups).astype(np.float64)
    some = np.maximum(count, 1)
    mean = np.bincount(group, value, groups) / some
    spread = np.sqrt(np.maximum(np.bincount(group, (value - mean[group]) ** 2, groups) / some, 0))
    lowest, highest = np.full(groups, np.inf), np.full(groups, -np.inf)
    np.minimum.at(lowest, group, value)
    np.maximum.at(highest, group, value)
    return count, mean, spread, np.where(count > 0, highest - lowest, 0.0)


def _mean_phasor(
    group: NDArray[np.int64], groups: int, phasor: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    count = np.maximum(np.bincount(group, minlength=groups), 1)
    return np.asarray(
        (np.bincount(group, phasor.real, groups) + 1j * np.bincount(group, phasor.imag, groups)) / count
    )
