"""What every tag does, in bins of half a second, beside what its rack does.

Per tag and bin: energies of phase and RSSI residuals, their size and direction, steps from the bin before,
missed reads, log-odds of being in a hand (`odds`), steps from read to read on one channel (`channel_steps`).
Per tag and bin, of the others that hang in the same place: how active they are, on average and at most, and
where this tag ranks. A walker disturbs many tags a little, a hand one tag much.

Over spans of bins around the judged one, the CONTESTS of a rack (`rivalry`), because one hand turns one
garment: activity, log-odds, log-odds against the rack's present unrest, lost level, missed reads.

Over two seconds: how far the residuals' distribution diverges (`divergence`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.features.divergence import DIVERGENCES, ResidualHistograms
from rfid_reader.flips.features.odds import phase_odds, rssi_odds, turn_of
from rfid_reader.flips.features.residual_table import Residuals
from rfid_reader.flips.features.residuals import MAX_ANTENNAS, ResidualTracker
from rfid_reader.flips.features.rivalry import COMPARED, Rivals

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
BIN_S = 0.5
BINS = 10
OWN, SHARED = 21, 10
LOOK_AHEAD_BINS = 3
JUDGED = BINS - 1 - LOOK_AHEAD_BINS
SPANS = (slice(JUDGED - 1, JUDGED + 2), slice(JUDGED - 3, JUDGED + 4), slice(0, BINS))
CONTESTS = 5
ACTIVE = 1.2
MOVING_STEP, MOVING_STEPS = 2.9, 1.0
"""Of a bin: log of steps from read to read, as the column has them, that no still tag makes (a mean of
1 - cos of 0.34, of the doubled phase), from this log of their number on."""
RATE_MEMORY_BINS = 60.0
ABSENT_BINS = 20
BEFORE_BINS = 8.0
STATICS = 5
FEATURES = BINS * (OWN + SHARED) + COMPARED * CONTESTS * len(SPANS) + DIVERGENCES + 4 + STATICS
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
    _ODDS,
    _RSSI_ODDS,
    _RACK_ODDS,
    _CHANNEL_STEP,
    _CHANNEL_STEP_DB,
    _CHANNEL_STEPS,
) = range(OWN)
_BEFORE = [_FOLDED, _RSSI_ENERGY, _SLOW_TURN, _PRESENCE]
COLUMNS = ("_bins", "_before", "_unrest", "_rate", "_age", "_quiet", "_phasor", "_level_db")


class ActivityBins:
    """The last BINS bins of every tag, and its long run. Grows with the tags."""

    def __init__(self, tracker: ResidualTracker) -> None:
        self._tracker = tracker
        self._bins = np.zeros((0, BINS, OWN + SHARED), np.float32)
        self._histograms = ResidualHistograms()
        self._before = np.zeros((0, len(_BEFORE)), np.float32)
        self._contests = np.zeros((BINS, CONTESTS, 0), np.float32)
        self._group = np.zeros(0, np.int64)
        self._unrest = np.zeros((0, 3))
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
        contests = np.zeros((BINS, CONTESTS, size), np.float32)
        contests[..., :have] = self._contests
        self._contests = contests
        self._histograms.grow(size)

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
        own[:, _RACK_ODDS] = self._rack_odds(residuals, group, tags)
        shared = self._shared(own, group, tags)
        self._before[:tags] += (self._bins[:tags, 0, _BEFORE] - self._before[:tags]) / BEFORE_BINS
        self._bins[:tags, :-1] = self._bins[:tags, 1:]
        self._bins[:tags, -1, :OWN] = own
        self._bins[:tags, -1, OWN:] = shared
        self._contests[:-1, :, :tags] = self._contests[1:, :, :tags]
        self._contests[-1, :, :tags] = (
            own[:, _FOLDED] + own[:, _RSSI_ENERGY],
            own[:, _ODDS] + own[:, _RSSI_ODDS],
            own[:, _RACK_ODDS],
            -own[:, _SLOW_SHIFT],
            -own[:, _PRESENCE],
        )
        self._histograms.add(residuals, tags)
        memory = np.minimum(self._age[:tags], RATE_MEMORY_BINS)
        self._rate[:tags] += (heard - self._rate[:tags]) / memory
        return group

    def forget(self, rows: Rows) -> None:
        """Begin anew with tag rows that now stand for other tags."""
        known = rows[rows < len(self._rate)]
        for name in COLUMNS:
            getattr(self, name)[known] = 0
        self._contests[..., known] = 0
        self._histograms.forget(known)

    def resume(self) -> None:
        """Forget the bins at hand: time has passed without any."""
        for past in (self._bins, self._contests, self._unrest):
            past[:] = 0
        self._histograms.resume()

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
        own[:, _PHASE_STEP : _PAIRS + 1] = self._pairs(residuals, tags)
        own[:, _ODDS] = np.clip(np.bincount(tag, residuals.phase_odds, tags) / 4, -2, 6)
        own[:, _RSSI_ODDS] = np.clip(np.bincount(tag, residuals.rssi_odds, tags) / 4, -2, 6)
        steps = residuals.steps
        stepped = steps.pair // MAX_ANTENNAS
        number = np.bincount(stepped, minlength=tags)
        some = np.maximum(number, 1)
        own[:, _CHANNEL_STEP] = np.log1p(50 * np.bincount(stepped, steps.turn, tags) / some)
        own[:, _CHANNEL_STEP_DB] = np.log1p(np.bincount(stepped, steps.shift_db, tags) / some)
        own[:, _CHANNEL_STEPS] = np.log1p(number)
        return own

    def _rack_odds(self, residuals: Residuals, group: Rows, tags: int) -> Array:
        """Log-odds as those of single reads, but against the others of the rack being as restless as they are
        now (in this bin and the one before)."""
        tag = residuals.tag
        now = np.column_stack(
            [
                np.bincount(tag, minlength=tags),
                np.bincount(tag, turn_of(residuals.slow_phase_rad), tags),
                np.bincount(tag, np.minimum(residuals.slow_rssi_db**2, 150.0), tags),
            ]
        )
        both = now + self._unrest[:tags]
        self._unrest[:tags] = now
        groups = int(group.max()) + 1 if tags else 0
        others = np.column_stack([np.bincount(group, column, groups)[group] - column for column in both.T])
        rack_turn, rack_shift = (others[:, 1:] / np.maximum(others[:, :1], 1.0)).T
        odds = phase_odds(turn_of(residuals.slow_phase_rad), residuals.usual_turn / 2 + rack_turn[tag])
        odds = odds + rssi_odds(residuals.slow_rssi_db, residuals.usual_shift / 2 + rack_shift[tag])
        return np.asarray(np.clip(np.bincount(tag, odds, tags) / 4, -2, 6))

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
        rivals = Rivals(group[here])
        mine = own[here]
        energy, rssi_energy = mine[:, _FOLDED], mine[:, _RSSI_ENERGY]
        odds = mine[:, _ODDS] + mine[:, _RSSI_ODDS]
        columns = np.column_stack(
            [
                *(rivals.mean(energy), rivals.highest(energy)),
                *(rivals.mean(rssi_energy), rivals.highest(rssi_energy)),
                *(rivals.mean(mine[:, _PRESENCE]), rivals.mean((energy > ACTIVE).astype(float))),
                rivals.share_above(energy + rssi_energy),
                *(rivals.mean(odds), rivals.highest(odds)),
                rivals.highest(mine[:, _RACK_ODDS]),
            ]
        )
        shared[here] = columns
        return shared

    def candidates(self, tags: int) -> Rows:
        """Tags that did anything unusual in the bins at hand, or move from read to read (one that is carried
        for long does nothing that is unusual for it), and were heard in them."""
        recent = self._bins[:tags, 1:]
        unusual = (recent[..., _ENERGY] > ACTIVE) | (recent[..., _RSSI_ENERGY] > ACTIVE)
        unusual |= (recent[..., _CHANNEL_STEP] > MOVING_STEP) & (recent[..., _CHANNEL_STEPS] > MOVING_STEPS)
        return np.flatnonzero(unusual.any(1) & ((recent[..., _HEARD] > 0).sum(1) >= 2))

    def newest(self, tags: int) -> NDArray[np.float32]:
        """The newest bin, (tags, OWN + SHARED)."""
        return self._bins[:tags, -1]

    def features(self, rows: Rows) -> NDArray[np.float32]:
        """Features (n, FEATURES) of tag rows."""
        parts: list[NDArray[np.floating[Any]]] = [
            self._bins[rows].reshape(len(rows), BINS * (OWN + SHARED)),
            self._rivalry(rows),
            self._histograms.divergences(rows),
            self._before[rows],
            self.statics(rows),
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _rivalry(self, rows: Rows) -> Array:
        """Over the SPANS of bins: how tags compare with the others of their group in each of the CONTESTS."""
        tags = len(self._group)
        here = np.flatnonzero(self._quiet[:tags] < ABSENT_BINS)
        place = np.searchsorted(here, rows)
        rivals = Rivals(self._group[here])
        columns = []
        for span in SPANS:
            for contest in self._contests[span, :, :tags].mean(0, dtype=np.float64):
                columns.append(rivals.compared(contest[here])[:, place])
        return np.asarray(np.concatenate(columns).T)

    def statics(self, rows: Rows) -> Array:
        """What tag rows and their best links are like, (n, STATICS): log of reads a second, usual unrest of
        phase and of level, level, age."""
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
