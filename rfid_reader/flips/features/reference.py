"""The channel reference: what a tag, seen by one antenna on one channel, usually looks like.

A reader that hops adds another phase offset on every channel, so phases compare only within a channel. The
reference keeps, per tag, antenna and channel, a running mean phasor and mean RSSI; residuals against it are
one series across channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration

Array = NDArray[np.float64]
MAX_CELLS = 3_500_000
"""56 MB: every tag that a detector follows, on 16 antennas and 50 channels."""
FORGET = 0.05


class ChannelReference:
    """Running references of (tag, antenna, channel) cells in dense arrays, at most MAX_CELLS cells.

    A cell follows its reads with weight 1/n for its first reads and `forget` later. Cells beyond the bound
    have no reference of their own; `reads_beyond` counts their reads. A calibration gives cells a start.

    prior_reads: for values that are expected near zero, every cell begins as if it had seen that many zeros.
    """

    def __init__(
        self,
        calibration: AntennaCalibration | None = None,
        forget: float = FORGET,
        prior_reads: float = 0.0,
    ) -> None:
        self._forget = forget
        self._prior_reads = prior_reads
        self.reads_beyond = 0
        self._calibration = calibration
        self.antennas: dict[int, int] = {}
        """Row of each antenna id, in order of appearance."""
        self._shape = (0, 0, 0)
        self._phasor = np.zeros(self._shape, np.complex64)
        self._rssi = np.zeros(self._shape, np.float32)
        self._count = np.zeros(self._shape, np.float32)
        self._seeded = 0

    def antenna_rows(self, antenna: NDArray[np.int16]) -> NDArray[np.int64]:
        """Dense numbers of antenna ids, in order of appearance."""
        for number in np.unique(antenna).tolist():
            self.antennas.setdefault(number, len(self.antennas))
        lookup = np.zeros(256, np.int64)
        for number, row in self.antennas.items():
            lookup[number] = row
        return lookup[antenna]

    def _grow(self, tags: int, channels: int) -> None:
        wanted = (
            max(self._shape[0], 1 << max(tags - 1, 15).bit_length())
            if tags > self._shape[0]
            else self._shape[0],
            max(self._shape[1], len(self.antennas)),
            max(self._shape[2], channels),
        )
        if wanted == self._shape or wanted[0] * wanted[1] * wanted[2] > MAX_CELLS:
            return
        old = tuple(slice(0, size) for size in self._shape)
        for name in ("_phasor", "_rssi", "_count"):
            start = 1.0 if name == "_phasor" and self._prior_reads else 0.0
            grown = np.full(wanted, start, getattr(self, name).dtype)
            grown[old] = getattr(self, name)
            setattr(self, name, grown)
        self._shape = wanted

    def forget(self, place: NDArray[np.int64] | tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
        """Begin anew with these tag rows, or (tag, antenna) pairs."""
        if isinstance(place, tuple):
            inside = (place[0] < self._shape[0]) & (place[1] < self._shape[1])
            cells: tuple[NDArray[np.int64], ...] = (place[0][inside], place[1][inside])
        else:
            cells = (place[place < self._shape[0]],)
        self._phasor[cells] = 1.0 if self._prior_reads else 0.0
        self._rssi[cells] = 0.0
        self._count[cells] = 0.0

    def _seed(self, epcs: list[str]) -> None:
        """Start the cells of new tags from the calibration."""
        assert self._calibration is not None
        for tag in range(self._seeded, min(len(epcs), self._shape[0])):
            for cell in self._calibration.cells.get(epcs[tag], ()):
                row = self.antennas.get(cell.antenna)
                if row is not None and cell.channel < self._shape[2]:
                    place = (tag, row, cell.channel)
                    self._phasor[place] = np.exp(1j * cell.phase_rad) * cell.phase_strength
                    self._rssi[place] = cell.rssi_dbm
                    self._count[place] = min(cell.reads, 10)
        self._seeded = min(len(epcs), self._shape[0])

    def residuals(
        self,
        epcs: list[str],
        tag: NDArray[np.int64],
        antenna: NDArray[np.int64],
        channel: NDArray[np.int16],
        rssi_dbm: Array,
        phase_rad: Array,
    ) -> tuple[Array, Array, Array]:
        """Residual RSSI (dB), residual phase (-pi..pi rad) and the number of reads behind each read's
        reference (0: no reference yet, residuals are 0), before these reads are learned.

        epcs are all tags known so far by row; antenna holds dense numbers. Unknown RSSI or phase has residual
        0.
        """
        channel_row = channel.astype(np.int64)
        self._grow(len(epcs), int(channel_row.max()) + 1 if len(channel_row) else 1)
        if self._calibration is not None and self._seeded < len(epcs):
            self._seed(epcs)
        inside = (tag < self._shape[0]) & (antenna < self._shape[1]) & (channel_row < self._shape[2])
        cell = (
            np.where(inside, tag, 0),
            np.where(inside, antenna, 0),
            np.where(inside, channel_row, 0),
        )
        count = np.where(inside, self._count[cell], 0.0).astype(np.float64)
        self.reads_beyond += int(len(inside) - inside.sum())
        known = inside & ((count > 0) | (self._prior_reads > 0))
        phase_known = known & ~np.isnan(phase_rad)
        turned = np.exp(1j * np.nan_to_num(phase_rad)) * np.conj(self._phasor[cell])
        phase = np.where(phase_known, np.angle(turned), 0.0)
        rssi = np.where(known & ~np.isnan(rssi_dbm), rssi_dbm - self._rssi[cell], 0.0)
        return np.asarray(rssi), np.asarray(phase), count

    def learn(
        self,
        tag: NDArray[np.int64],
        antenna: NDArray[np.int64],
        channel: NDArray[np.int16],
        rssi_dbm: Array,
        phase_rad: Array,
        trust: Array | float = 1.0,
    ) -> None:
        """Let the cells follow these reads (with several reads of one cell, the last counts), the less the
        lower their `trust` (0..1)."""
        channel_row = channel.astype(np.int64)
        inside = (tag < self._shape[0]) & (antenna < self._shape[1]) & (channel_row < self._shape[2])
        cell = (tag[inside], antenna[inside], channel_row[inside])
        count = self._count[cell]
        trust = np.broadcast_to(trust, inside.shape)[inside]
        weight = trust * np.maximum(1.0 / (count + 1.0 + self._prior_reads), self._forget)
        phase = phase_rad[inside]
        phasor = np.where(np.isnan(phase), self._phasor[cell], np.exp(1j * np.nan_to_num(phase)))
        self._phasor[cell] = (1 - weight) * self._phasor[cell] + weight * phasor
        rssi = rssi_dbm[inside]
        self._rssi[cell] = np.where(
            np.isnan(rssi), self._rssi[cell], (1 - weight) * self._rssi[cell] + weight * np.nan_to_num(rssi)
        )
        self._count[cell] = count + trust
