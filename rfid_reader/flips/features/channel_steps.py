"""Steps from read to read of one tag on one antenna and channel: they need no reference of any kind.

A tag that was never seen before, alone before a reader that hops, shows in its first dwell whether it moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.reads import ReadTable

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
LONGEST_S = 1.0
LONGEST_SHIFT_DB = 12.0


@dataclass(frozen=True)
class ChannelSteps:
    """Steps as columns: row of the pair (tag, antenna), 1 - cos of twice the phase step (half a turn counts
    as none), size of the RSSI step (dB)."""

    pair: Rows
    turn: Array
    shift_db: Array


class StepTracker:
    """Remembers every pair's last read. Grows with the pairs. doubled: phases come doubled already."""

    def __init__(self, doubled: bool = False) -> None:
        self._times = 1 if doubled else 2
        self._time_s = np.zeros(0)
        self._channel = np.zeros(0, np.int16)
        self._phase_rad = np.zeros(0, np.float32)
        self._rssi_dbm = np.zeros(0, np.float32)

    def forget(self, pairs: Rows) -> None:
        """Begin anew with pairs that now stand for other tags."""
        self._time_s[pairs[pairs < len(self._time_s)]] = -np.inf

    def take(self, pair: Rows, channel: Rows, reads: ReadTable) -> ChannelSteps:
        """Steps of these reads from the ones before, on the same channel at most LONGEST_S ago."""
        self._grow(int(pair.max()) + 1)
        order = np.argsort(pair, kind="stable")
        rows, time_s, channel = pair[order], reads.time_s[order], channel[order]
        phase_rad, rssi_dbm = reads.phase_rad[order], reads.rssi_dbm[order]
        first = np.concatenate([[True], rows[1:] != rows[:-1]])
        last = np.concatenate([first[1:], [True]])
        before_s, before = np.roll(time_s, 1), np.roll(channel, 1)
        before_rad, before_dbm = np.roll(phase_rad, 1), np.roll(rssi_dbm, 1)
        head = rows[first]
        before_s[first], before[first] = self._time_s[head], self._channel[head]
        before_rad[first], before_dbm[first] = self._phase_rad[head], self._rssi_dbm[head]
        tail = rows[last]
        self._time_s[tail], self._channel[tail] = time_s[last], channel[last]
        self._phase_rad[tail], self._rssi_dbm[tail] = phase_rad[last], rssi_dbm[last]
        same = (before == channel) & (np.abs(time_s - before_s) <= LONGEST_S)
        turn = 1 - np.cos(self._times * (phase_rad[same] - before_rad[same]))
        shift_db = np.minimum(np.abs(rssi_dbm[same] - before_dbm[same]), LONGEST_SHIFT_DB)
        return ChannelSteps(rows[same], turn, shift_db)

    def _grow(self, pairs: int) -> None:
        have = len(self._time_s)
        if pairs <= have:
            return
        size = max(pairs, 2 * have, 1024) - have
        self._time_s = np.concatenate([self._time_s, np.full(size, -np.inf)])
        self._channel = np.concatenate([self._channel, np.zeros(size, np.int16)])
        self._phase_rad = np.concatenate([self._phase_rad, np.zeros(size, np.float32)])
        self._rssi_dbm = np.concatenate([self._rssi_dbm, np.zeros(size, np.float32)])
