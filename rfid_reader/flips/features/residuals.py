"""Reads freed of everything that stays: the channel's offset, the tag's rest, the link's usual noise.

Layers of "usual", each learned as reads come:

- the antenna's channel: a phase offset that all its tags share, because it is the reader's own (a tag that is
  new to a channel is referenced by it at once);
- the pair (tag, antenna): phase and level over all channels, followed fast (FOLLOW_S), because a garment that
  was put back a centimetre away is at rest again, and slowly (SLOW_S), because one that is still away is not;
- the cell (tag, antenna, channel): what is left, its multipath (`reference`);
- the noise of pairs and antennas: how large residuals usually are, because a weak link is noisier.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rfid_reader.antenna_calibration import AntennaCalibration
from rfid_reader.flips.features.channel_steps import ChannelSteps, StepTracker
from rfid_reader.flips.features.channels import ChannelOffsets, split_calibration
from rfid_reader.flips.features.odds import phase_odds, rssi_odds, turn_of
from rfid_reader.flips.features.reference import ChannelReference
from rfid_reader.flips.features.residual_table import Residuals
from rfid_reader.reads import ReadTable

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
FOLLOW_S = 2.5
SLOW_S = 20.0
NOISE_MEMORY_READS = 50.0
SPREAD_MEMORY_READS = 400.0
FIRST_PHASE_NOISE, FIRST_RSSI_NOISE = 0.03, 0.4
FIRST_PHASE_SPREAD, FIRST_RSSI_SPREAD = 0.2, 2.0
PHASE_FLOOR, RSSI_FLOOR = 0.01, 0.1
FIRST_SLOW_TURN, FIRST_SLOW_SHIFT = 0.1, 3.0
SLOW_MEMORY_READS = 120.0
MOST_TURN, MOST_SHIFT_DB = 0.8, 4.0
CELL_PRIOR_READS = 1.0
CALM_ENERGY = 3.0
DISTURBED_TRUST = 0.2
UNREST_MEMORY_READS = 30.0
LASTING_UNREST = 0.7
PAIR_ABSENT_S = 120.0
READER_PAUSE_S = 2.0
HEARD_HALF_LIFE_S = 60.0
MAX_ANTENNAS = 16
STARTS = {
    "_offset": 0.0,
    "_offset_db": 0.0,
    "_slow": 0.0,
    "_slow_db": 0.0,
    "_time_s": -math.inf,
    "phase_noise": FIRST_PHASE_NOISE,
    "rssi_noise": FIRST_RSSI_NOISE,
    "heard_db": -90.0,
    "heard": 0.0,
    "_unrest": 0.0,
    "slow_turn": FIRST_SLOW_TURN,
    "slow_shift": FIRST_SLOW_SHIFT,
}
"""Columns by (tag, antenna) and their values before the first read."""


class ResidualTracker:
    """Learns what is usual and returns what is not. Antennas beyond MAX_ANTENNAS have no residuals.

    The baseline follows a tag through its life: a pair that is first heard, or again after PAIR_ABSENT_S,
    begins anew; one that stays disturbed was hung elsewhere, and its cells follow at full speed. After
    READER_PAUSE_S without any read, rests begin anew: what moved meanwhile was not seen to move. doubled:
    phases come doubled (`rfid_reader.half_turns`).
    """

    def __init__(self, calibration: AntennaCalibration | None = None, doubled: bool = False) -> None:
        self.channels = ChannelOffsets(MAX_ANTENNAS)
        self._known_channels: dict[int, tuple[Rows, Array]] = {}
        if calibration is not None:
            self._known_channels, calibration = split_calibration(calibration)
        self.reference = ChannelReference(calibration, prior_reads=CELL_PRIOR_READS)
        self._offset = np.zeros((0, MAX_ANTENNAS))
        self._offset_db = np.zeros((0, MAX_ANTENNAS))
        self._slow = np.zeros((0, MAX_ANTENNAS))
        self._slow_db = np.zeros((0, MAX_ANTENNAS))
        self._time_s = np.zeros((0, MAX_ANTENNAS))
        self.phase_noise = np.zeros((0, MAX_ANTENNAS))
        self.rssi_noise = np.zeros((0, MAX_ANTENNAS))
        self.heard_db = np.zeros((0, MAX_ANTENNAS))
        self.heard = np.zeros((0, MAX_ANTENNAS))
        self._unrest = np.zeros((0, MAX_ANTENNAS))
        self.slow_turn = np.zeros((0, MAX_ANTENNAS))
        self.slow_shift = np.zeros((0, MAX_ANTENNAS))
        self._steps = StepTracker(doubled)
        self._now_s = -math.inf
        self._resumed_s = -math.inf
        self._phase_spread = np.full(MAX_ANTENNAS, FIRST_PHASE_SPREAD)
        self._rssi_spread = np.full(MAX_ANTENNAS, FIRST_RSSI_SPREAD)

    def _grow(self, tags: int) -> None:
        have = len(self._offset)
        if tags <= have:
            return
        size = max(tags, 2 * have, 64)
        for name, start in STARTS.items():
            grown = np.full((size, MAX_ANTENNAS), start)
            grown[:have] = getattr(self, name)
            setattr(self, name, grown)

    def forget(self, rows: Rows) -> None:
        """Begin anew with tag rows that now stand for other tags."""
        known = rows[rows < len(self._offset)]
        for name, start in STARTS.items():
            getattr(self, name)[known] = start
        self.reference.forget(known)
        self._steps.forget((known[:, None] * MAX_ANTENNAS + np.arange(MAX_ANTENNAS)).reshape(-1))

    def take(self, reads: ReadTable, tags: Rows, epcs: list[str]) -> Residuals:
        """Residuals of the reads of one step against what was usual before it; then learn them."""
        self._grow(len(epcs))
        antenna = self.reference.antenna_rows(reads.antenna)
        usable = (antenna < MAX_ANTENNAS) & ~np.isnan(reads.phase_rad) & ~np.isnan(reads.rssi_dbm)
        if not usable.any():
            return Residuals.none()
        reads, tags, antenna = reads.take(usable), tags[usable], antenna[usable]
        for number in self._known_channels.keys() & set(np.unique(reads.antenna).tolist()):
            row = int(antenna[np.argmax(reads.antenna == number)])
            self.channels.start(row, *self._known_channels.pop(number))
        channel = reads.channel.astype(np.int64)
        self._meet(reads, tags, antenna, channel)
        pair = (tags, antenna)
        phase = reads.phase_rad - self._offset[pair] - self.channels.angle(antenna, channel)
        rssi = reads.rssi_dbm - self._offset_db[pair]
        rssi_db, phase_rad, count = self.reference.residuals(epcs, tags, antenna, reads.channel, rssi, phase)
        unknown = (CELL_PRIOR_READS / (CELL_PRIOR_READS + count)) ** 2
        steps = self._steps.take(tags * MAX_ANTENNAS + antenna, channel, reads)
        residuals = self._weighed(tags, antenna, phase_rad, rssi_db, unknown, steps)
        disturbed = (residuals.phase_energy > CALM_ENERGY) | (residuals.rssi_energy > 2 * CALM_ENERGY)
        trust = np.where(disturbed & (self._unrest[pair] < LASTING_UNREST), DISTURBED_TRUST, 1.0)
        self.reference.learn(tags, antenna, reads.channel, rssi, phase, trust)
        self.channels.learn(antenna, channel, phase)
        self._learn_spread(antenna[~disturbed], phase[~disturbed], rssi[~disturbed])
        self._learn_pairs(reads, residuals, unknown, disturbed)
        return residuals

    def _meet(self, reads: ReadTable, tags: Rows, antenna: Rows, channel: Rows) -> None:
        """Give channels and pairs that are heard for the first time, or again, an offset."""
        latest_s = float(reads.time_s.max())
        if float(reads.time_s.min()) - self._now_s > READER_PAUSE_S:
            self._resumed_s = float(reads.time_s.min())
        self.heard *= 0.5 ** (np.clip(latest_s - self._now_s, 0.0, 1e3) / HEARD_HALF_LIFE_S)
        self._now_s = max(self._now_s, latest_s)
        heard_s = self._time_s[tags, antenna]
        old = (reads.time_s - heard_s < PAIR_ABSENT_S) & (heard_s >= self._resumed_s)
        self.channels.meet(
            antenna[old], channel[old], reads.phase_rad[old] - self._offset[tags[old], antenna[old]]
        )
        new = np.flatnonzero(~old)
        if not len(new):
            return
        _, first = np.unique(tags[new] * MAX_ANTENNAS + antenna[new], return_index=True)
        rows = new[first]
        pair = (tags[rows], antenna[rows])
        away = reads.time_s[rows] - heard_s[rows] >= PAIR_ABSENT_S
        gone = (pair[0][away], pair[1][away])
        for name, start in STARTS.items():
            getattr(self, name)[gone] = start
        self.reference.forget(gone)
        self._offset[pair] = reads.phase_rad[rows] - self.channels.angle(antenna[rows], channel[rows])
        self._offset_db[pair] = reads.rssi_dbm[rows]
        self._slow[pair], self._slow_db[pair] = self._offset[pair], self._offset_db[pair]
        self.channels.meet(
            antenna[new], channel[new], reads.phase_rad[new] - self._offset[tags[new], antenna[new]]
        )

    def _weighed(
        self,
        tag: Rows,
        antenna: Rows,
        phase_rad: Array,
        rssi_db: Array,
        unknown: Array,
        steps: ChannelSteps,
    ) -> Residuals:
        pair = (tag, antenna)
        phase_noise = self.phase_noise[pair] + self._phase_spread[antenna] * unknown
        rssi_noise = self.rssi_noise[pair] + self._rssi_spread[antenna] * unknown
        slow_rad = _wrapped(phase_rad + self._offset[pair] - self._slow[pair])
        slow_db = rssi_db + self._offset_db[pair] - self._slow_db[pair]
        usual_turn = self.slow_turn[pair] + self._phase_spread[antenna] * unknown
        usual_shift = self.slow_shift[pair] + self._rssi_spread[antenna] * unknown
        return Residuals(
            tag,
            antenna,
            phase_rad,
            rssi_db,
            slow_rad,
            slow_db,
            (1 - np.cos(phase_rad)) / (PHASE_FLOOR + phase_noise),
            (1 - np.cos(2 * phase_rad)) / 4 / (PHASE_FLOOR + phase_noise),
            rssi_db**2 / (RSSI_FLOOR + rssi_noise),
            1 / (0.02 + phase_noise),
            phase_odds(turn_of(slow_rad), usual_turn),
            rssi_odds(slow_db, usual_shift),
            usual_turn,
            usual_shift,
            phase_rad + self._offset[pair],
            rssi_db + self._offset_db[pair],
            steps,
        )

    def _learn_spread(self, antenna: Rows, phase: Array, rssi: Array) -> None:
        """How far cells of one antenna differ from what the channel's tags share."""
        count = np.bincount(antenna, minlength=MAX_ANTENNAS)
        some = np.maximum(count, 1)
        weight = 1 - (1 - 1 / SPREAD_MEMORY_READS) ** count
        turned = np.bincount(antenna, 1 - np.cos(phase), MAX_ANTENNAS) / some
        moved = np.bincount(antenna, rssi**2, MAX_ANTENNAS) / some
        self._phase_spread += weight * (turned - self._phase_spread)
        self._rssi_spread += weight * (moved - self._rssi_spread)

    def _learn_pairs(
        self, reads: ReadTable, residuals: Residuals, unknown: Array, disturbed: NDArray[np.bool_]
    ) -> None:
        flat, place = np.unique(residuals.tag * MAX_ANTENNAS + residuals.antenna, return_inverse=True)
        count = np.bincount(place).astype(np.float64)
        heard_db, heard = self.heard_db.reshape(-1), self.heard.reshape(-1)
        mean_db = np.bincount(place, reads.rssi_dbm) / count
        heard_db[flat] += np.where(heard[flat] > 0, 1 - 0.98**count, 1.0) * (mean_db - heard_db[flat])
        heard[flat] += count
        unrest = self._unrest.reshape(-1)
        share = 1 - (1 - 1 / UNREST_MEMORY_READS) ** count
        unrest[flat] += share * (np.bincount(place, disturbed) / count - unrest[flat])
        latest_s = np.full(len(flat), -np.inf)
        np.maximum.at(latest_s, place, reads.time_s)
        self._follow(flat, place, count, latest_s, residuals)
        phase_noise, rssi_noise = self.phase_noise.reshape(-1), self.rssi_noise.reshape(-1)
        weight = 1 - (1 - 1 / NOISE_MEMORY_READS) ** count
        own_phase = 1 - np.cos(residuals.phase_rad) - self._phase_spread[residuals.antenna] * unknown
        own_rssi = residuals.rssi_db**2 - self._rssi_spread[residuals.antenna] * unknown
        turned = np.maximum(np.bincount(place, own_phase) / count, 0.0)
        moved = np.maximum(np.bincount(place, own_rssi) / count, 0.0)
        phase_noise[flat] += weight * (np.minimum(turned, 4 * phase_noise[flat] + 0.01) - phase_noise[flat])
        rssi_noise[flat] += weight * (np.minimum(moved, 4 * rssi_noise[flat] + 0.3) - rssi_noise[flat])

        for level, value, floor in (
            (self.slow_turn, turn_of(residuals.slow_phase_rad), 0.05),
            (self.slow_shift, residuals.slow_rssi_db**2, 2.0),
        ):
            usual = level.reshape(-1)
            mean = np.bincount(place, value) / count
            share = 1 - (1 - 1 / SLOW_MEMORY_READS) ** count
            usual[flat] += share * (np.minimum(mean, 3 * usual[flat] + floor) - usual[flat])

    def _follow(self, flat: Rows, place: Rows, count: Array, latest_s: Array, residuals: Residuals) -> None:
        """Let the pairs' rests follow, fast and slowly."""
        times = self._time_s.reshape(-1)
        passed_s = np.clip(latest_s - np.where(np.isinf(times[flat]), latest_s, times[flat]), 0.05, 1e3)
        for offset, offset_db, phase_rad, rssi_db, follow_s in (
            (self._offset, self._offset_db, residuals.phase_rad, residuals.rssi_db, FOLLOW_S),
            (self._slow, self._slow_db, residuals.slow_phase_rad, residuals.slow_rssi_db, SLOW_S),
        ):
            weight = 1 - np.exp(-passed_s / follow_s)
            turn = np.arctan2(np.bincount(place, np.sin(phase_rad)), np.bincount(place, np.cos(phase_rad)))
            shift = np.bincount(place, rssi_db) / count
            if follow_s == SLOW_S:
                turn, shift = (
                    np.clip(turn, -MOST_TURN, MOST_TURN),
                    np.clip(shift, -MOST_SHIFT_DB, MOST_SHIFT_DB),
                )
            offset.reshape(-1)[flat] += weight * turn
            offset_db.reshape(-1)[flat] += weight * shift
        times[flat] = np.maximum(times[flat], latest_s)

    def groups(self, tags: int) -> Rows:
        """The rack a tag hangs on, as far as reads tell: the antenna that hears it best, often enough;
        (tags,).
        """
        often = self.heard[:tags] >= 0.15 * self.heard[:tags].max(axis=1, keepdims=True)
        return np.asarray(np.where(often, self.heard_db[:tags], -200.0).argmax(axis=1), np.int64)


def _wrapped(angle: Array) -> Array:
    return np.asarray((angle + math.pi) % (2 * math.pi) - math.pi)
