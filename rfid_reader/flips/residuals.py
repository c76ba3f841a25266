"""Reads freed of everything that stays: the channel's offset, the tag's rest, the link's usual noise.

Three layers of "usual", each learned as reads come:

- the cell (tag, antenna, channel): mean phasor and RSSI (`reference`), because every channel has its own
offset;
- the pair (tag, antenna): a slowly following offset of phase and RSSI over all channels, because a garment
that
  was put back a centimetre away is at rest again, on every channel;
- the pair's noise: how large its residuals usually are, because a weak link is noisier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.reference import ChannelReference
from rfid_reader.reads import ReadTable

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
FOLLOW_S = 2.5
NOISE_MEMORY_READS = 50.0
FIRST_PHASE_NOISE, FIRST_RSSI_NOISE = 0.03, 0.4
PHASE_FLOOR, RSSI_FLOOR = 0.01, 0.1
MAX_ANTENNAS = 16


@dataclass(frozen=True)
class Residuals:
    """Reads with a reference, as columns: rows of tag and antenna, phase (-pi..pi rad) and RSSI (dB)
    residuals, their energies in units of the pair's own noise, and the read's weight (the steadier its pair,
    the heavier).
    """

    tag: Rows
    antenna: Rows
    phase_rad: Array
    rssi_db: Array
    phase_energy: Array
    rssi_energy: Array
    weight: Array


class ResidualTracker:
    """Learns what is usual and returns what is not. Antennas beyond MAX_ANTENNAS have no residuals."""

    def __init__(self, calibration: AntennaCalibration | None = None) -> None:
        self.reference = ChannelReference(calibration)
        self._offset = np.zeros((0, MAX_ANTENNAS), np.complex128)
        self._offset_db = np.zeros((0, MAX_ANTENNAS))
        self._time_s = np.zeros((0, MAX_ANTENNAS))
        self.phase_noise = np.zeros((0, MAX_ANTENNAS))
        self.rssi_noise = np.zeros((0, MAX_ANTENNAS))
        self.heard_db = np.zeros((0, MAX_ANTENNAS))
        self.heard = np.zeros((0, MAX_ANTENNAS))

    def _grow(self, tags: int) -> None:
        have = len(self._offset)
        if tags <= have:
            return
        size = max(tags, 2 * have, 64)

        def grown(array: NDArray[np.generic], value: float) -> NDArray[np.generic]:
            result = np.full((size, MAX_ANTENNAS), value, array.dtype)
            result[:have] = array
            return result

        self._offset = grown(self._offset, 1.0)  # type: ignore[assignment]
        self._offset_db = grown(self._offset_db, 0.0)  # type: ignore[assignment]
        self._time_s = grown(self._time_s, -math.inf)  # type: ignore[assignment]
        self.phase_noise = grown(self.phase_noise, FIRST_PHASE_NOISE)  # type: ignore[assignment]
        self.rssi_noise = grown(self.rssi_noise, FIRST_RSSI_NOISE)  # type: ignore[assignment]
        self.heard_db = grown(self.heard_db, -90.0)  # type: ignore[assignment]
        self.heard = grown(self.heard, 0.0)  # type: ignore[assignment]

    def take(self, reads: ReadTable, tags: Rows, epcs: list[str]) -> Residuals:
        """Residuals of the reads of one step against what was usual before it; then learn them."""
        self._grow(len(epcs))
        antenna = self.reference.antenna_rows(reads.antenna)
        usable = (antenna < MAX_ANTENNAS) & ~np.isnan(reads.phase_rad) & ~np.isnan(reads.rssi_dbm)
        reads, tags, antenna = reads.take(usable), tags[usable], antenna[usable]
        pair = (tags, antenna)
        phase = reads.phase_rad - np.angle(self._offset[pair])
        rssi = reads.rssi_dbm - self._offset_db[pair]
        rssi_db, phase_rad, count = self.reference.residuals(epcs, tags, antenna, reads.channel, rssi, phase)
        self.reference.learn(tags, antenna, reads.channel, rssi, phase)
        known = count > 0
        residuals = self._weighed(tags[known], antenna[known], phase_rad[known], rssi_db[known])
        self._learn_pairs(reads, tags, antenna, residuals, reads.time_s[known])
        return residuals

    def _weighed(self, tag: Rows, antenna: Rows, phase_rad: Array, rssi_db: Array) -> Residuals:
        phase_noise, rssi_noise = self.phase_noise[tag, antenna], self.rssi_noise[tag, antenna]
        return Residuals(
            tag,
            antenna,
            phase_rad,
            rssi_db,
            (1 - np.cos(phase_rad)) / (PHASE_FLOOR + phase_noise),
            rssi_db**2 / (RSSI_FLOOR + rssi_noise),
            1 / (0.02 + phase_noise),
        )

    def _learn_pairs(
        self, reads: ReadTable, tags: Rows, antenna: Rows, residuals: Residuals, time_s: Array
    ) -> None:
        every = tags * MAX_ANTENNAS + antenna
        flat, place = np.unique(every, return_inverse=True)
        count = np.bincount(place).astype(np.float64)
        share = 1 - 0.98**count
        heard_db = self.heard_db.reshape(-1)
        mean_db = np.bincount(place, reads.rssi_dbm) / count
        heard = self.heard.reshape(-1)
        heard_db[flat] += np.where(heard[flat] > 0, share, 1.0) * (mean_db - heard_db[flat])
        heard[flat] += count
        if not len(residuals.tag):
            return
        flat, place = np.unique(residuals.tag * MAX_ANTENNAS + residuals.antenna, return_inverse=True)
        count = np.bincount(place).astype(np.float64)
        latest_s = np.full(len(flat), -np.inf)
        np.maximum.at(latest_s, place, time_s)
        self._follow(flat, place, count, latest_s, residuals)
        phase_noise, rssi_noise = self.phase_noise.reshape(-1), self.rssi_noise.reshape(-1)
        weight = 1 - (1 - 1 / NOISE_MEMORY_READS) ** count
        turned = np.bincount(place, 1 - np.cos(residuals.phase_rad)) / count
        moved = np.bincount(place, residuals.rssi_db**2) / count
        phase_noise[flat] += weight * (np.minimum(turned, 4 * phase_noise[flat] + 0.01) - phase_noise[flat])
        rssi_noise[flat] += weight * (np.minimum(moved, 4 * rssi_noise[flat] + 0.3) - rssi_noise[flat])

    def _follow(self, flat: Rows, place: Rows, count: Array, latest_s: Array, residuals: Residuals) -> None:
        """Let the pairs' offsets follow, with a time constant of FOLLOW_S."""
        offset, offset_db = self._offset.reshape(-1), self._offset_db.reshape(-1)
        times = self._time_s.reshape(-1)
        passed_s = np.clip(latest_s - times[flat], 0.05, 1e3)
        weight = np.where(np.isinf(times[flat]), 0.0, 1 - np.exp(-passed_s / FOLLOW_S))
        phasor = np.exp(1j * residuals.phase_rad)
        mean = np.bincount(place, phasor.real) + 1j * np.bincount(place, phasor.imag)
        offset[flat] *= np.exp(1j * weight * np.angle(mean))
        offset_db[flat] += weight * np.bincount(place, residuals.rssi_db) / count
        times[flat] = np.maximum(times[flat], latest_s)

    def groups(self, tags: int) -> Rows:
        """The rack a tag hangs on, as far as reads tell: the antenna that hears it best, often enough;
        (tags,).
        """
        often = self.heard[:tags] >= 0.15 * self.heard[:tags].max(axis=1, keepdims=True)
        return np.asarray(np.where(often, self.heard_db[:tags], -200.0).argmax(axis=1), np.int64)
