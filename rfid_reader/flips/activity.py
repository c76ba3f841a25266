"""What every tag does, in bins of half a second, beside what its rack does.

Per tag and bin: energies of phase and RSSI residuals, their size and direction, steps from the bin before,
and missed reads. Per tag and bin, of the others that hang in the same place: how active they are, on average
and at most, and where this tag ranks. A walker disturbs many tags a little, a hand one tag much.

Over two seconds around the judged bin and over all bins: how active a tag was in sum, the others of its group
on average and at most, and its rank among them: one hand turns one garment.

Over two seconds: the Jensen-Shannon divergence of the tag's distribution of residual phase and RSSI from its
long-run distribution, and from that of the two seconds before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.residuals import MAX_ANTENNAS, Residuals, ResidualTracker
from rfid_reader.flips.spectrum import js_divergence

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
BIN_S = 0.5
BINS = 10
OWN, SHARED = 15, 7
LOOK_AHEAD_BINS = 4
JUDGED = BINS - 1 - LOOK_AHEAD_BINS
SPANS = (slice(JUDGED - 2, JUDGED + 3), slice(0, BINS))
RIVALRY = 5
PHASE_EDGES = np.linspace(-np.pi, np.pi, 9)[1:-1]
RSSI_EDGES = np.array([-6.0, -3.0, -1.0, 1.0, 3.0, 6.0])
HISTOGRAM = 8 + 7
WINDOW_BINS = 4
ACTIVE = 1.2
RATE_MEMORY_BINS = 60.0
LONG_RUN_BINS = 120.0
ABSENT_BINS = 20
BEFORE_BINS = 8.0
STATICS = 5
FEATURES = BINS * (OWN + SHARED) + RIVALRY * len(SPANS) + 4 + 4 + STATICS
(
    _ENERGY,
    _FOLDED,
    _RSSI_ENERGY,
    _TURN,
    _SHIFT,
    _SLOW_TURN,
    _SLOW_SHIFT,
    _PEAK,
    _PRESENCE,
    _HEARD,
    _PHASE_STEP,
    _RSSI_STEP,
    _LEAST_PAIR,
    _MOST_PAIR,
    _PAIRS,
) = range(OWN)
_BEFORE = [_FOLDED, _RSSI_ENERGY, _SLOW_TURN, _PRESENCE]
COLUMNS = ("_bins", "_histogram", "_long_run", "_before", "_rate", "_age", "_quiet", "_phasor", "_level_db")


def _excluding_self(group: Rows, groups: int, value: Array, size: Array) -> tuple[Array, Array]:
    """Mean and maximum of `value` over the other members of each row's group (0 without others)."""
    others = np.maximum(size[group] - 1, 1)
    mean = (np.bincount(group, value, groups)[group] - value) / others
    order = np.lexsort((-value, group))
    first = np.zeros(groups)
    second = np.zeros(groups)
    first_row = np.full(groups, -1)
    starts = np.flatnonzero(np.diff(np.concatenate([[-1], group[order]])))
    first[group[order[starts]]] = value[order[starts]]
    first_row[group[order[starts]]] = order[starts]
    seconds = starts[size[group[order[starts]]] > 1] + 1
    second[group[order[seconds]]] = value[order[seconds]]
    highest = np.where(first_row[group] == np.arange(len(group)), second[group], first[group])
    alone = size[group] <= 1
    return np.where(alone, 0.0, mean), np.where(alone, 0.0, highest)


class ActivityBins:
    """The last BINS bins of every tag, and its long run. Grows with the tags."""

    def __init__(self, tracker: ResidualTracker) -> None:
        self._tracker = tracker
        self._bins = np.zeros((0, BINS, OWN + SHARED), np.float32)
        self._histogram = np.zeros((0, 2 * WINDOW_BINS, HISTOGRAM), np.float32)
        self._long_run = np.zeros((0, HISTOGRAM), np.float32)
        self._before = np.zeros((0, len(_BEFORE)), np.float32)
        self._group = np.zeros(0, np.int64)
        self._rate = np.zeros(0)
        self._age = np.zeros(0)
        self._quiet = np.zeros(0)
        self._phasor = np.zeros((0, MAX_ANTENNAS), np.complex64)
        self._level_db = np.zeros((0, MAX_ANTENNAS), np.float32)

    def _grow(self, tags: int) -> None:
        have = len(self._rate)
        if tags <= have:
            return
        size = max(tags, 2 * have, 64)
        for name in COLUMNS:
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[:have] = old
            setattr(self, name, new)

    def step(self, residuals: Residuals, all_tags: Rows, tags: int) -> Rows:
        """Add one bin: its residuals, the tag rows of all its reads, the number of tags; returns tags'
        groups.
        """
        self._grow(tags)
        heard = np.bincount(all_tags, minlength=tags).astype(np.float64)
        self._quiet[:tags] = np.where(heard > 0, 0, self._quiet[:tags] + 1)
        self._age[:tags] += 1
        own = self._own(residuals, heard, tags)
        self._group = group = self._tracker.groups(tags)
        shared = self._shared(own, group, tags)
        self._before += (self._bins[:, 0, _BEFORE] - self._before) / BEFORE_BINS
        self._bins[:, :-1] = self._bins[:, 1:]
        self._bins[:tags, -1, :OWN] = own
        self._bins[:tags, -1, OWN:] = shared
        self._count(residuals, tags)
        memory = np.minimum(self._age[:tags], RATE_MEMORY_BINS)
        self._rate[:tags] += (heard - self._rate[:tags]) / memory
        return group

    def forget(self, rows: Rows) -> None:
        """Begin anew with tag rows that now stand for other tags."""
        known = rows[rows < len(self._rate)]
        for name in COLUMNS:
            getattr(self, name)[known] = 0

    def _own(self, residuals: Residuals, heard: Array, tags: int) -> Array:
        tag, weight = residuals.tag, residuals.weight
        own = np.zeros((tags, OWN))
        count = np.bincount(tag, minlength=tags)
        some = np.maximum(count, 1)
        total = np.maximum(np.bincount(tag, weight, tags), 1e-9)
        own[:, _ENERGY] = np.log1p(np.bincount(tag, residuals.phase_energy, tags) / some)
        own[:, _FOLDED] = np.log1p(np.bincount(tag, residuals.folded_energy, tags) / some)
        own[:, _RSSI_ENERGY] = np.log1p(np.bincount(tag, residuals.rssi_energy, tags) / some)
        own[:, _TURN] = np.bincount(tag, weight * (1 - np.cos(residuals.phase_rad)), tags) / total
        own[:, _SLOW_TURN] = np.bincount(tag, weight * (1 - np.cos(residuals.slow_phase_rad)), tags) / total
        for column, rssi_db in ((_SHIFT, residuals.rssi_db), (_SLOW_SHIFT, residuals.slow_rssi_db)):
            own[:, column] = np.clip(np.bincount(tag, weight * rssi_db, tags) / total / 5, -3, 3)
        peak = np.zeros(tags)
        np.maximum.at(peak, tag, residuals.phase_energy)
        own[:, _PEAK] = np.log1p(peak)
        own[:, _PRESENCE] = np.clip(heard / np.maximum(self._rate[:tags], 0.05), 0, 3) - 1
        own[:, _HEARD] = np.log1p(heard)
        own[:, _PHASE_STEP:] = self._pairs(residuals, tags)
        return own

    def _pairs(self, residuals: Residuals, tags: int) -> Array:
        """What a tag's antennas say: (tags, 5) weighted mean steps of phasor and of RSSI residual since the
        pair was last heard, energy of the calmest and of the most disturbed pair, number of pairs heard (of
        3).
        """
        columns = np.zeros((tags, 5))
        if not len(residuals.tag):
            return columns
        pair = residuals.tag * MAX_ANTENNAS + residuals.antenna
        flat, place = np.unique(pair, return_inverse=True)
        count = np.bincount(place).astype(np.float64)
        phasor = np.exp(1j * residuals.phase_rad)
        mean = (np.bincount(place, phasor.real) + 1j * np.bincount(place, phasor.imag)) / count
        level_db = np.bincount(place, residuals.rssi_db) / count
        weight = np.bincount(place, residuals.weight)
        last, last_db = self._phasor.reshape(-1), self._level_db.reshape(-1)
        moved = np.where(last[flat] == 0, 0.0, np.abs(mean - last[flat]))
        moved_db = np.where(last[flat] == 0, 0.0, np.abs(level_db - last_db[flat]) / 5)
        last[flat], last_db[flat] = mean, level_db
        tag = flat // MAX_ANTENNAS
        total = np.maximum(np.bincount(tag, weight, tags), 1e-9)
        energy = np.log1p(np.bincount(place, residuals.folded_energy + residuals.rssi_energy) / count)
        columns[:, 0] = np.bincount(tag, weight * moved, tags) / total
        columns[:, 1] = np.clip(np.bincount(tag, weight * moved_db, tags) / total, 0, 3)
        columns[:, 2] = 99.0
        np.minimum.at(columns[:, 2], tag, energy)
        columns[columns[:, 2] == 99.0, 2] = 0.0
        np.maximum.at(columns[:, 3], tag, energy)
        columns[:, 4] = np.minimum(np.bincount(tag, minlength=tags), 3) / 3
        return columns

    def _shared(self, own: Array, group: Rows, tags: int) -> Array:
        shared = np.zeros((tags, SHARED))
        here = np.flatnonzero(self._quiet[:tags] < ABSENT_BINS)
        if not len(here):
            return shared
        mine, groups = group[here], int(group.max()) + 1
        size = np.bincount(mine, minlength=groups).astype(np.float64)
        energy, rssi_energy = own[here, _FOLDED], own[here, _RSSI_ENERGY]
        columns = np.zeros((len(here), SHARED))
        columns[:, 0], columns[:, 1] = _excluding_self(mine, groups, energy, size)
        columns[:, 2], columns[:, 3] = _excluding_self(mine, groups, rssi_energy, size)
        columns[:, 4], _ = _excluding_self(mine, groups, own[here, _PRESENCE], size)
        columns[:, 5], _ = _excluding_self(mine, groups, (energy > ACTIVE).astype(float), size)
        order = np.lexsort((-(energy + rssi_energy), mine))
        place = np.arange(len(here)) - np.searchsorted(mine[order], mine[order])
        columns[order, 6] = place / np.maximum(size[mine[order]] - 1, 1)
        shared[here] = columns
        return shared

    def _count(self, residuals: Residuals, tags: int) -> None:
        phase_bin = np.searchsorted(PHASE_EDGES, residuals.phase_rad)
        rssi_bin = np.searchsorted(RSSI_EDGES, residuals.rssi_db) + 8
        now = np.bincount(residuals.tag * HISTOGRAM + phase_bin, minlength=tags * HISTOGRAM)
        now = now + np.bincount(residuals.tag * HISTOGRAM + rssi_bin, minlength=tags * HISTOGRAM)
        counts = now.reshape(tags, HISTOGRAM).astype(np.float32)
        self._histogram[:, :-1] = self._histogram[:, 1:]
        self._histogram[:tags, -1] = counts
        self._long_run[:tags] += (counts - self._long_run[:tags]) / LONG_RUN_BINS

    def candidates(self, tags: int) -> Rows:
        """Tags that did anything unusual in the bins at hand, and were heard in them."""
        recent = self._bins[:tags, 1:]
        unusual = (recent[..., _ENERGY] > ACTIVE) | (recent[..., _RSSI_ENERGY] > ACTIVE)
        return np.flatnonzero(unusual.any(1) & ((recent[..., _HEARD] > 0).sum(1) >= 2))

    def features(self, rows: Rows) -> NDArray[np.float32]:
        """Features (n, FEATURES) of tag rows."""
        parts: list[NDArray[np.floating[Any]]] = [
            self._bins[rows].reshape(len(rows), BINS * (OWN + SHARED)),
            *(self._rivalry(rows, span) for span in SPANS),
            self._divergences(rows),
            self._before[rows],
            self._statics(rows),
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _rivalry(self, rows: Rows, span: slice) -> Array:
        """Over a span of bins: how active tags are in sum, and how the others of their group compare."""
        tags = len(self._group)
        here = np.flatnonzero(self._quiet[:tags] < ABSENT_BINS)
        bins = self._bins[here, span]
        total = (bins[..., _FOLDED] + bins[..., _RSSI_ENERGY]).sum(1, dtype=np.float64) / bins.shape[1]
        group, groups = self._group[here], int(self._group.max()) + 1
        size = np.bincount(group, minlength=groups).astype(np.float64)
        mean, highest = _excluding_self(group, groups, total, size)
        order = np.lexsort((-total, group))
        place = np.empty(len(here))
        place[order] = np.arange(len(here)) - np.searchsorted(group[order], group[order])
        columns = np.zeros((tags, RIVALRY))
        columns[here] = np.column_stack([total, mean, highest, total - highest, np.log1p(place)])
        return columns[rows]

    def _divergences(self, rows: Rows) -> Array:
        histogram = self._histogram[rows].astype(np.float64)
        now, before = histogram[:, WINDOW_BINS:].sum(1), histogram[:, :WINDOW_BINS].sum(1)
        long_run = self._long_run[rows].astype(np.float64)
        columns = []
        for part in (slice(0, 8), slice(8, HISTOGRAM)):
            shares = [
                _shares(counts[:, part], prior)
                for counts, prior in ((now, 0.1), (before, 0.1), (long_run, 1e-3))
            ]
            columns += [js_divergence(shares[0], shares[2]), js_divergence(shares[0], shares[1])]
        return np.column_stack(columns)

    def _statics(self, rows: Rows) -> Array:
        tracker = self._tracker
        heard = tracker.heard[rows] > 0
        best = np.where(heard, tracker.heard_db[rows], -200).argmax(1)
        return np.column_stack(
            [
                np.log(np.maximum(self._rate[rows] / BIN_S, 0.05)),
                np.sqrt(tracker.phase_noise[rows, best]),
                np.sqrt(tracker.rssi_noise[rows, best]),
                tracker.heard_db[rows, best] / 20 + 2.5,
                np.log1p(np.minimum(self._age[rows], 600)) / 3,
            ]
        )


def _shares(counts: Array, prior: float) -> Array:
    smoothed = counts + prior
    return np.asarray(smoothed / smoothed.sum(1, keepdims=True))
