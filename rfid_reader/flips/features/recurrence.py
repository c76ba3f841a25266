"""How far a tag is from how it was some bins ago, link by link.

A garment that is taken leaves its place at once, and comes back to it at once; a body that stands by lets
phases and levels drift, and those of the garments beside it too. The phasor and the level of every link, a
(tag, antenna) pair, are remembered for BACK bins, held where it was not heard; what was held for longer than
LONGEST_HELD bins is compared with nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.features.residual_table import Residuals
from rfid_reader.flips.features.residuals import MAX_ANTENNAS

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
LAGS = (1, 2, 3, 4, 6, 8, 10, 13)
BACK = LAGS[-1] + 1
LONGEST_HELD = 4
SHIFT_UNIT_DB, LARGEST_SHIFT = 5.0, 3.0
BEST_LINK = 4
RECURRENCES = 2 * len(LAGS) + BEST_LINK
NEVER = -1000


@dataclass(frozen=True)
class HeardLinks:
    """The links that were heard in a bin: their numbers (tag * MAX_ANTENNAS + antenna), of every read the
    place of its link, and by link the reads, mean phasor and mean level (dBm) freed of the channel, and mean
    phasor and level (dB) against the slow rest."""

    links: Rows
    place: Rows
    count: Array
    phasor: NDArray[np.complex128]
    level_dbm: Array
    slow: NDArray[np.complex128]
    slow_db: Array

    @classmethod
    def of(cls, residuals: Residuals) -> HeardLinks:
        links, place = np.unique(residuals.tag * MAX_ANTENNAS + residuals.antenna, return_inverse=True)
        count = np.bincount(place, minlength=len(links)).astype(np.float64)
        return cls(
            links,
            place,
            count,
            _mean_phasor(place, residuals.link_phase_rad, count),
            np.bincount(place, residuals.link_rssi_dbm) / count,
            _mean_phasor(place, residuals.slow_phase_rad, count),
            np.bincount(place, residuals.slow_rssi_db) / count,
        )


class LinkMemory:
    """The last BACK bins of every link. Grows with the tags."""

    def __init__(self) -> None:
        self._phasor = np.zeros((BACK, 0), np.complex64)
        self._level_dbm = np.zeros((BACK, 0), np.float32)
        self._heard_bin = np.zeros((BACK, 0), np.int32)
        self._bin = 0

    def _grow(self, tags: int) -> None:
        have = self._phasor.shape[1]
        if tags * MAX_ANTENNAS <= have:
            return
        size = max(tags, 2 * have // MAX_ANTENNAS, 64) * MAX_ANTENNAS
        for name, start in (("_phasor", 0.0), ("_level_dbm", 0.0), ("_heard_bin", NEVER)):
            old = getattr(self, name)
            new = np.full((BACK, size), start, old.dtype)
            new[:, :have] = old
            setattr(self, name, new)

    def forget(self, rows: Rows) -> None:
        """Begin anew with tag rows that now stand for other tags."""
        links = (rows[:, None] * MAX_ANTENNAS + np.arange(MAX_ANTENNAS)).reshape(-1)
        self._heard_bin[:, links[links < self._heard_bin.shape[1]]] = NEVER

    def resume(self) -> None:
        """Forget everything: time has passed without bins."""
        self._heard_bin[:] = NEVER

    def before(
        self, links: Rows, lag: int, tags: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.complex64], NDArray[np.float32]]:
        """Of links (n,) `lag` bins before the one to come: whether they are known, their phasors and levels
        (dBm)."""
        self._grow(tags)
        then = (self._bin - lag) % BACK
        known = self._bin - lag - self._heard_bin[then, links] <= LONGEST_HELD
        return known, self._phasor[then, links], self._level_dbm[then, links]

    def step(self, residuals: Residuals, heard: HeardLinks, heard_db: Array, tags: int) -> Array:
        """Add one bin; returns (tags, RECURRENCES): per lag, the mean distance of phasors (0..2), then per
        lag the mean change of level (5 dB); of the tag's best link in this bin, by heard_db (tags,
        MAX_ANTENNAS): 1, cosine less one and sine of its phase against the slow rest, level against it
        (5 dB), or four zeros."""
        self._grow(tags)
        now, before = self._bin % BACK, (self._bin - 1) % BACK
        for ring in (self._phasor, self._level_dbm, self._heard_bin):
            ring[now, : tags * MAX_ANTENNAS] = ring[before, : tags * MAX_ANTENNAS]
        columns = np.zeros((tags, RECURRENCES))
        if len(residuals.tag):
            links, phasor, level_dbm = heard.links, heard.phasor, heard.level_dbm
            weight = np.bincount(heard.place, residuals.weight)
            tag = links // MAX_ANTENNAS
            for column, lag in enumerate(LAGS):
                known, phasor_then, level_then = self.before(links, lag, tags)
                used = weight * known
                total = np.maximum(np.bincount(tag, used, tags), 1e-9)
                apart = np.abs(phasor - phasor_then)
                shift = (level_dbm - level_then) / SHIFT_UNIT_DB
                columns[:, column] = np.bincount(tag, used * apart, tags) / total
                columns[:, len(LAGS) + column] = np.bincount(tag, used * shift, tags) / total
            rising = np.argsort(heard_db.reshape(-1)[links], kind="stable")
            best = np.full(tags, -1)
            best[tag[rising]] = rising
            some = np.flatnonzero(best >= 0)
            link = best[some]
            columns[some, -BEST_LINK:] = np.column_stack(
                [
                    np.ones(len(link)),
                    heard.slow.real[link] - 1,
                    heard.slow.imag[link],
                    heard.slow_db[link] / SHIFT_UNIT_DB,
                ]
            )
            columns[:, len(LAGS) : -3] = np.clip(columns[:, len(LAGS) : -3], -LARGEST_SHIFT, LARGEST_SHIFT)
            columns[:, -1] = np.clip(columns[:, -1], -LARGEST_SHIFT, LARGEST_SHIFT)
            self._phasor[now, links] = phasor
            self._level_dbm[now, links] = level_dbm
            self._heard_bin[now, links] = self._bin
        self._bin += 1
        return columns


def _mean_phasor(place: Rows, angle_rad: Array, count: Array) -> NDArray[np.complex128]:
    cosine, sine = np.bincount(place, np.cos(angle_rad)), np.bincount(place, np.sin(angle_rad))
    return np.asarray((cosine + 1j * sine) / count)
