"""Residuals of reads as a table: what is left of them beyond what stays (`residuals`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.features.channel_steps import ChannelSteps

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Residuals:
    """Reads with a reference, as columns: rows of tag and antenna, phase (-pi..pi rad) and RSSI (dB)
    residuals, the same against the slowly followed rest, their energies in units of what is usual (the
    folded one takes half a turn for none, as some readers do), and the read's weight (the steadier its pair,
    the heavier). phase_odds and rssi_odds are log-odds that the garment is in a hand, away from its slowly
    followed rest, against the pair being as restless as it usually is. link_phase_rad and link_rssi_dbm are
    those of the pair, freed of the channel.
    """

    tag: Rows
    antenna: Rows
    phase_rad: Array
    rssi_db: Array
    slow_phase_rad: Array
    slow_rssi_db: Array
    phase_energy: Array
    folded_energy: Array
    rssi_energy: Array
    weight: Array
    phase_odds: Array
    rssi_odds: Array
    usual_turn: Array
    usual_shift: Array
    link_phase_rad: Array
    link_rssi_dbm: Array
    steps: ChannelSteps

    @classmethod
    def none(cls) -> Residuals:
        empty, rows = np.zeros(0), np.zeros(0, np.int64)
        return cls(rows, rows, *(empty,) * 14, ChannelSteps(rows, empty, empty))
