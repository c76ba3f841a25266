"""Reads that carry their own number, so that every single one can be accounted for.

Read number n has n as its EPC, and antenna, channel, RSSI and phase that follow from n. Who receives it can
tell whether it arrived unchanged, and which reads are missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.llrp.reports import PHASE_STEP_RAD
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.radio.hopping import PLANS
from rfid_reader.simulator.radio.inventory import DEFAULT_MODE
from rfid_reader.simulator.world import InventorySetup

ANTENNAS = 4
CHANNELS = 50
PREFIX = "e2801160"


def epc_of(number: int) -> str:
    return f"{PREFIX}{number:016x}"


def number_of(epc: str) -> int:
    return int(epc[len(PREFIX) :], 16)


def antenna_of(number: NDArray[np.int64]) -> NDArray[np.int64]:
    return number % ANTENNAS + 1


def rssi_dbm_of(number: NDArray[np.int64]) -> NDArray[np.float64]:
    """-40 to -69.75 dBm in quarters."""
    return np.asarray(-40.0 - (number % 120) / 4, np.float64)


def phase_rad_of(number: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray((number * 37 % 4096) * PHASE_STEP_RAD, np.float64)


def numbered_reads(first: int, time_s: NDArray[np.float64]) -> ReadTable:
    """Reads from number `first` on, at the times (n,) in seconds."""
    number = np.arange(first, first + len(time_s))
    return ReadTable.from_columns(
        time_s,
        [epc_of(n) for n in number.tolist()],
        antenna_of(number),
        number % CHANNELS + 1,
        rssi_dbm_of(number),
        phase_rad_of(number),
    )


class NumberedSource:
    """A `ReadSource` of `rate_hz` numbered reads a second; what nobody listens to is not made."""

    antennas = ANTENNAS
    plan = PLANS["fcc"]
    mode = DEFAULT_MODE

    def __init__(self, rate_hz: float) -> None:
        self._step_s = 1.0 / rate_hz
        self._next_s = 0.0
        self.made = 0

    def reads(self, until_s: float, setup: InventorySetup) -> ReadTable:
        count = max(0, int((until_s - self._next_s) / self._step_s))
        times_s = np.asarray(self._next_s + self._step_s * np.arange(count), np.float64)
        reads = numbered_reads(self.made, times_s)
        self._next_s += count * self._step_s
        self.made += count
        return reads

    def skip_to(self, time_s: float) -> None:
        self._next_s = max(self._next_s, time_s)

    def finished_flips(self, until_s: float) -> list[TrueFlip]:
        return []
