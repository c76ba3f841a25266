"""Channel plans: which frequency a reader uses when.

ChannelIndex is the position in the plan's table. In time a reader steps through the table in order; the table
itself is a fixed shuffle of the band (seen in real reads: the index counts 1, 2, 3 while phases jump).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.errors import ScenarioError


@dataclass(frozen=True)
class HopPlan:
    """frequencies_hz in table order; one dwell per channel. `standard` and `country` as LLRP numbers them."""

    name: str
    frequencies_hz: tuple[float, ...]
    dwell_s: float
    hopping: bool
    standard: int
    country: int

    def channel_at(self, time_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """ChannelIndex (from 1) in use at each time."""
        return np.floor(time_s / self.dwell_s).astype(np.int64) % len(self.frequencies_hz) + 1


def _shuffled(first_mhz: float, step_mhz: float, count: int, seed: int) -> tuple[float, ...]:
    frequencies_hz = [round((first_mhz + step_mhz * i) * 1e6) * 1.0 for i in range(count)]
    random.Random(seed).shuffle(frequencies_hz)
    return tuple(frequencies_hz)


PLANS = {
    "fcc": HopPlan("fcc", _shuffled(902.75, 0.5, 50, 915), 0.183, True, 1, 840),
    "etsi": HopPlan("etsi", (865.7e6, 866.3e6, 866.9e6, 867.5e6), 2.0, False, 2, 826),
    "china": HopPlan("china", _shuffled(920.625, 0.25, 16, 922), 1.0, True, 0, 156),
}


def hop_plan(name: str) -> HopPlan:
    """A plan by name. Raises ScenarioError."""
    if name not in PLANS:
        raise ScenarioError(f"hop_plan {name!r} is unknown; {', '.join(PLANS)} would be right")
    return PLANS[name]
