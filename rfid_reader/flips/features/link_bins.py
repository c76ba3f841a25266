"""What every link, a (tag, antenna) pair, does in a bin of half a second, as numbers for the network.

Phases and levels are free of the reader's channel offsets (`residuals`). A link's phasor is compared with its
slow rest and with what it was LAGS bins before, the sign of the turn kept: a garment that is turned over
turns on all of its antennas at once, a body that stands by turns each link its own way. Unrest is measured
against the link's quiet noise, which starts from the calibration's quiet hours, falls fast and rises slowly:
about the lower tenth of what the link does, and never more than MOST_QUIET_TURN and MOST_QUIET_DB2, because
a tag that is carried for long never hangs still. Beside it stands what real readers' noise is at this level.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.features.recurrence import LARGEST_SHIFT, SHIFT_UNIT_DB, HeardLinks, LinkMemory
from rfid_reader.flips.features.residual_table import Residuals
from rfid_reader.flips.features.residuals import MAX_ANTENNAS

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
LAGS = (1, 2, 3, 4, 6, 8, 12)
OWN = 18
LINK_COLUMNS = OWN + 4 * len(LAGS)
SIGNED = (2, *(OWN + 4 * number + 2 for number in range(len(LAGS))))
"""Columns that change their sign with the direction in which a reader counts phase."""
FIRST_QUIET_TURN, FIRST_QUIET_DB2 = 0.03, 0.5
LEAST_QUIET_TURN, LEAST_QUIET_DB2 = 5e-4, 0.02
MOST_QUIET_TURN, MOST_QUIET_DB2 = 0.2, 6.0
NOISE_RAD, NOISE_LEVEL_DBM, NOISE_FLOOR_RAD = 0.08, -62.5, 0.009
"""Phase noise of still tags of rfid-r420-locate: NOISE_RAD at NOISE_LEVEL_DBM, tenfold with 20 dB less."""
FALLS, RISES, LARGEST_RISE = 0.08, 0.01, 10.0
RATE_MEMORY_BINS = 120.0
LARGEST = 60.0
STARTS = {"_quiet_turn": FIRST_QUIET_TURN, "_quiet_db2": FIRST_QUIET_DB2, "_rate": 0.0, "_age": 0.0}
"""Columns by link and their values before the first read."""


class LinkBins:
    """Every link's quiet noise (1 - cos of phase, dB^2 of level) and usual reads a bin. Grows with the
    tags. doubled: phases are."""

    def __init__(self, calibration: AntennaCalibration | None = None, doubled: bool = False) -> None:
        self._variances = 4.0 if doubled else 1.0
        self._quiet_turn = np.zeros(0, np.float32)
        self._quiet_db2 = np.zeros(0, np.float32)
        self._rate = np.zeros(0, np.float32)
        self._age = np.zeros(0, np.float32)
        self._known = {} if calibration is None else quiet_noise(calibration)
        self._seeded = 0

    def _grow(self, tags: int) -> None:
        have = len(self._rate)
        if tags * MAX_ANTENNAS <= have:
            return
        size = max(tags, 2 * have // MAX_ANTENNAS, 64) * MAX_ANTENNAS
        for name, start in STARTS.items():
            new = np.full(size, start, np.float32)
            new[:have] = getattr(self, name)
            setattr(self, name, new)

    def _seed(self, epcs: list[str], antennas: dict[int, int]) -> None:
        """Start new tags' quiet noise from the calibration."""
        for tag in range(self._seeded, len(epcs)):
            for antenna, noise in self._known.get(epcs[tag], {}).items():
                row = antennas.get(antenna, MAX_ANTENNAS)
                if row < MAX_ANTENNAS:
                    link = tag * MAX_ANTENNAS + row
                    self._quiet_turn[link], self._quiet_db2[link] = noise
        self._seeded = len(epcs)

    def forget(self, rows: Rows) -> None:
        """Begin anew with tag rows that now stand for other tags."""
        links = (rows[:, None] * MAX_ANTENNAS + np.arange(MAX_ANTENNAS)).reshape(-1)
        links = links[links < len(self._rate)]
        for name, start in STARTS.items():
            getattr(self, name)[links] = start

    def step(
        self,
        residuals: Residuals,
        heard: HeardLinks,
        memory: LinkMemory,
        heard_db: Array,
        epcs: list[str],
        antennas: dict[int, int],
    ) -> NDArray[np.float32]:
        """Add one bin, before `memory` does; returns (n, LINK_COLUMNS) of the links heard in it. heard_db:
        usual level by link; antennas: row of each antenna id."""
        self._grow(len(epcs))
        if self._known and self._seeded < len(epcs):
            self._seed(epcs, antennas)
        links, place, count = heard.links, heard.place, heard.count
        columns = np.zeros((len(links), LINK_COLUMNS), np.float32)
        if not len(links):
            return columns
        self._age[links] += 1
        quiet_turn, quiet_db2 = self._quiet_turn[links], self._quiet_db2[links]
        turn = np.bincount(place, 1 - np.cos(residuals.phase_rad)) / count
        db2 = np.bincount(place, residuals.rssi_db**2) / count
        spread = np.bincount(place, residuals.link_rssi_dbm**2) / count - heard.level_dbm**2
        columns[:, :13] = np.column_stack(
            [
                np.ones(len(links)),
                *(heard.slow.real - 1, heard.slow.imag, _shift(heard.slow_db)),
                *(1 - np.abs(heard.phasor), np.sqrt(np.maximum(spread, 0.0)) / 3),
                *(np.log1p(count), np.clip(count / np.maximum(self._rate[links], 0.2), 0, 4) - 1),
                *(0.5 * np.log(quiet_turn), np.log((turn + 0.002) / (quiet_turn + 0.002))),
                *(0.5 * np.log(quiet_db2), np.log((db2 + 0.05) / (quiet_db2 + 0.05))),
                heard_db.reshape(-1)[links] / 20 + 2.5,
            ]
        )
        columns[:, 13:16] = steps = _steps(residuals, links)
        noise = expected_variance(heard_db.reshape(-1)[links])
        columns[:, 16] = np.log((turn + 0.002) / (self._variances * noise / 2 + 0.002))
        columns[:, 17] = np.where(steps[:, 2] > 0, np.log((steps[:, 0] + 0.005) / (4 * noise + 0.005)), 0.0)
        for number, lag in enumerate(LAGS):
            known, phasor, level_dbm = memory.before(links, lag, len(epcs))
            against = heard.phasor * np.conj(phasor)
            first = OWN + 4 * number
            columns[:, first], columns[:, first + 1] = known, known * (against.real - 1)
            columns[:, first + 2] = known * against.imag
            columns[:, first + 3] = known * _shift(heard.level_dbm - level_dbm)
        self._quiet_turn[links] = np.clip(_followed(quiet_turn, turn), LEAST_QUIET_TURN, MOST_QUIET_TURN)
        self._quiet_db2[links] = np.clip(_followed(quiet_db2, db2), LEAST_QUIET_DB2, MOST_QUIET_DB2)
        self._rate[links] += (count - self._rate[links]) / np.minimum(self._age[links], RATE_MEMORY_BINS)
        return np.clip(columns, -LARGEST, LARGEST)


def quiet_noise(calibration: AntennaCalibration) -> dict[str, dict[int, tuple[float, float]]]:
    """By EPC and antenna id: mean 1 - cos of phase and variance of level (dB^2) of the quiet time, from cells
    of several reads."""
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for epc, cells in calibration.cells.items():
        sums: dict[int, tuple[float, float, float]] = {}
        for cell in (cell for cell in cells if cell.reads >= 2):
            reads, turn, db2 = sums.get(cell.antenna, (0.0, 0.0, 0.0))
            sums[cell.antenna] = (
                reads + cell.reads - 1,
                turn + cell.reads * (1 - cell.phase_strength),
                db2 + cell.reads * cell.rssi_noise_db**2,
            )
        found[epc] = {
            antenna: (
                min(max(turn / reads, LEAST_QUIET_TURN), MOST_QUIET_TURN),
                min(max(db2 / reads, LEAST_QUIET_DB2), MOST_QUIET_DB2),
            )
            for antenna, (reads, turn, db2) in sums.items()
        }
    return found


def expected_variance(level_dbm: Array) -> Array:
    """Variance (rad^2) of a still tag's phase that real readers have at these levels."""
    noise = np.maximum(NOISE_RAD * 10 ** ((NOISE_LEVEL_DBM - level_dbm) / 20), NOISE_FLOOR_RAD)
    return np.asarray(np.minimum(noise, 1.0) ** 2)


def _followed(quiet: NDArray[np.float32], value: Array) -> Array:
    share = np.where(value < quiet, FALLS, RISES)
    return np.asarray(quiet + share * (np.minimum(value, LARGEST_RISE * quiet) - quiet))


def _steps(residuals: Residuals, links: Rows) -> Array:
    """Of each link: mean turn and shift of its read-to-read steps on one channel, log of their number."""
    steps = residuals.steps
    place = np.searchsorted(links, steps.pair)
    number = np.bincount(place, minlength=len(links))
    some = np.maximum(number, 1)
    return np.column_stack(
        [
            np.bincount(place, steps.turn, len(links)) / some,
            np.bincount(place, steps.shift_db, len(links)) / some / 3,
            np.log1p(number),
        ]
    )


def _shift(level_db: Array) -> Array:
    return np.asarray(np.clip(level_db / SHIFT_UNIT_DB, -LARGEST_SHIFT, LARGEST_SHIFT))
