"""The phase offset that a reader adds on every channel of an antenna, learned from all its tags together."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration, AntennaCell

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
HIGHEST_CHANNEL = 1023
LEAST_WEIGHT = 0.02
SPLIT_ROUNDS = 5


class ChannelOffsets:
    """Angles (antennas, channels), known once `meet` or `learn` saw a read of the channel."""

    def __init__(self, antennas: int) -> None:
        self._angle = np.zeros((antennas, HIGHEST_CHANNEL + 1))
        self._steps = np.zeros((antennas, HIGHEST_CHANNEL + 1))

    def angle(self, antenna: Rows, channel: Rows) -> Array:
        """Offset of each read's channel (rad, unwrapped; 0 while unknown)."""
        return np.asarray(self._angle[antenna, channel])

    def start(self, antenna: int, channel: Rows, angle_rad: Array) -> None:
        """Give channels of one antenna row a known offset."""
        self._angle[antenna, channel] = angle_rad
        self._steps[antenna, channel] = 1 / LEAST_WEIGHT

    def meet(self, antenna: Rows, channel: Rows, phase_rad: Array) -> None:
        """Start channels that were not heard yet at the mean direction of these phases, which are free of
        the tags' own."""
        new = self._steps[antenna, channel] == 0
        if new.any():
            self._turn(antenna[new], channel[new], phase_rad[new])

    def learn(self, antenna: Rows, channel: Rows, residual_rad: Array) -> None:
        """Follow residuals against the offsets at hand."""
        self._turn(antenna, channel, residual_rad)

    def _turn(self, antenna: Rows, channel: Rows, residual_rad: Array) -> None:
        flat, place = np.unique(antenna * (HIGHEST_CHANNEL + 1) + channel, return_inverse=True)
        angle, steps = self._angle.reshape(-1), self._steps.reshape(-1)
        turn = np.arctan2(np.bincount(place, np.sin(residual_rad)), np.bincount(place, np.cos(residual_rad)))
        angle[flat] += np.maximum(1 / (steps[flat] + 1), LEAST_WEIGHT) * turn
        steps[flat] += 1


def split_calibration(
    calibration: AntennaCalibration,
) -> tuple[dict[int, tuple[Rows, Array]], AntennaCalibration]:
    """What a quiet recording says about channels, and about cells beyond that.

    Returns channels and their offsets (rad) by antenna id, and the calibration with every cell's phase and
    RSSI as deviation from its channel's offset and its pair's rest.
    """
    by_antenna: dict[int, list[tuple[str, AntennaCell]]] = {}
    for epc, cells in calibration.cells.items():
        for cell in cells:
            by_antenna.setdefault(cell.antenna, []).append((epc, cell))
    offsets: dict[int, tuple[Rows, Array]] = {}
    deviations: dict[str, list[AntennaCell]] = {epc: [] for epc in calibration.cells}
    for antenna, found in by_antenna.items():
        _, tag = np.unique([epc for epc, _ in found], return_inverse=True)
        channels, channel = np.unique([cell.channel for _, cell in found], return_inverse=True)
        phasor = np.exp(1j * np.array([cell.phase_rad for _, cell in found]))
        phasor *= np.array([cell.phase_strength for _, cell in found])
        rssi = np.array([cell.rssi_dbm for _, cell in found])
        rest, shared = np.zeros(int(tag.max()) + 1), np.zeros(len(channels))
        for _ in range(SPLIT_ROUNDS):
            rest = _mean_angle(tag, len(rest), phasor * np.exp(-1j * shared[channel]))
            shared = _mean_angle(channel, len(channels), phasor * np.exp(-1j * rest[tag]))
        left = np.angle(phasor * np.exp(-1j * (shared[channel] + rest[tag])))
        level = np.bincount(tag, rssi) / np.bincount(tag)
        offsets[antenna] = (channels.astype(np.int64), shared)
        for row, (epc, cell) in enumerate(found):
            deviations[epc].append(
                msgspec.structs.replace(
                    cell, phase_rad=float(left[row]), rssi_dbm=float(rssi[row] - level[tag[row]])
                )
            )
    return offsets, msgspec.structs.replace(calibration, cells=deviations)


def _mean_angle(group: Rows, groups: int, phasor: NDArray[np.complex128]) -> Array:
    return np.arctan2(np.bincount(group, phasor.imag, groups), np.bincount(group, phasor.real, groups))
