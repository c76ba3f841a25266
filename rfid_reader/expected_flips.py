"""What F1 the production detector is to be expected to have in a store, from how its tags are read.

`tagsight bench flips --worlds` prints it for tags by their reads a second and level, in each family of
stores; a store's own tags stand in one cell each, and the mean over them is what to expect there if the store
were of that family. Nobody knows of which one a real store is, so the lowest and the highest are said too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rfid_reader.antenna_calibration import AntennaCalibration

RATES_HZ = (0.4, 2.0, 4.0)
"""Where bands of reads a second begin; below the first nothing is found."""
STRONG_DBM = -58.0
"""Level at the best antenna from which a tag counts as strong."""
WORTHWHILE_F1 = 0.3
"""Below this, what is said of handled garments misleads more than it tells."""
F1_BY_WORLD: dict[str, tuple[tuple[float, float], ...]] = {
    "shop": ((0.00, 0.00), (0.25, 0.25), (0.74, 0.78)),
    "rays": ((0.00, 0.46), (0.00, 0.46), (0.89, 0.59)),
    "waves": ((0.25, 0.25), (0.55, 0.55), (0.94, 0.86)),
    "second": ((0.00, 0.00), (0.00, 0.17), (0.32, 0.53)),
}
"""By world and band of reads a second: F1 of weak tags, of strong ones, in three stores of each world (few: a
cell may be 0.2 off). A cell in which nothing was handled has its neighbour's value."""


@dataclass(frozen=True)
class ExpectedF1:
    """Mean over the families of stores, the lowest and the highest of them."""

    mean: float
    lowest: float
    highest: float

    @property
    def sentence(self) -> str:
        return (
            f"of handled garments and what is said of them, an F1 of {self.mean:.2f} is to be expected "
            f"({self.lowest:.2f} to {self.highest:.2f}, by which of the simulated families of stores this "
            "one is most like)"
        )


def band_of(rate_hz: float) -> int:
    """Number of the band of reads a second, -1 below all."""
    return sum(rate_hz >= first for first in RATES_HZ) - 1


def expected_f1(tags: Iterable[tuple[float, float]]) -> ExpectedF1 | None:
    """Of tags as (reads a second, level at the best antenna in dBm); None without any."""
    places = [(band_of(rate_hz), int(level_dbm >= STRONG_DBM)) for rate_hz, level_dbm in tags]
    if not places or not F1_BY_WORLD:
        return None
    worlds = [
        float(np.mean([table[band][strong] if band >= 0 else 0.0 for band, strong in places]))
        for table in F1_BY_WORLD.values()
    ]
    return ExpectedF1(float(np.mean(worlds)), min(worlds), max(worlds))


def expected_of(calibration: AntennaCalibration) -> ExpectedF1 | None:
    """What to expect in the store of a calibration: nothing of tags whose best antenna gives no phase."""
    blind = {one.antenna for one in calibration.antennas if one.phase_noise_rad is None}
    tags = []
    for epc, cells in calibration.cells.items():
        best = [cell for cell in cells if cell.antenna == calibration.strongest[epc]]
        reads = sum(cell.reads for cell in best)
        level_dbm = sum(cell.reads * cell.rssi_dbm for cell in best) / max(reads, 1)
        tags.append((0.0 if calibration.strongest[epc] in blind else calibration.rates[epc], level_dbm))
    return expected_f1(tags)
