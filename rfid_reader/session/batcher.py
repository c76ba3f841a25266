"""Tag reports gathered into batches of reads, with reader time turned into host time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.llrp.reports import TagReport, decode_report
from rfid_reader.reads import TWO_PI, ReadTable
from rfid_reader.session import remarks
from rfid_reader.session.reader_clock import FRESH_S, ReaderClock
from rfid_reader.session.remarks import Remarks

MAX_BATCH_READS = 4096
MAX_HELD_READS = 4 * MAX_BATCH_READS
MAX_REMEMBERED = 2 * MAX_BATCH_READS
HIGHEST_ANTENNA = 255
HIGHEST_CHANNEL = 1023
RSSI_DBM = (-127.0, 0.0)
"""What a reader measures lies between these; they themselves stand for "not measured"."""
APART_S = 0.005
"""Reports that arrive further apart did not come in one go."""
HOLD_S = 1.5
"""How long reads wait for a verdict on the reader's clock, at most."""
_UTC, _UPTIME = 0, 1


@dataclass(frozen=True)
class _Batch:
    """Reads that came together: arrival (host UTC seconds), stamp (seconds of the reader's clock, NaN for
    none), which of the reader's clocks it is of."""

    arrived_s: NDArray[np.float64]
    stamp_s: NDArray[np.float64]
    clock: NDArray[np.int8]
    reports: Sequence[tuple[TagReport, int]]

    def __len__(self) -> int:
        return len(self.reports)

    def part(self, rows: slice) -> _Batch:
        return _Batch(self.arrived_s[rows], self.stamp_s[rows], self.clock[rows], self.reports[rows])


class ReadBatcher:
    """Collects the reads of one connection; nothing is handed out before it is asked for.

    A report is a read if it has an EPC and an antenna of the reader's (1 to `remarks.highest`); where only
    one antenna is in use, a report that names none is of that one. Others are counted in `remarks.ignored`,
    with those that the connection `before` had heard already.
    """

    def __init__(self, antennas: tuple[int, ...] = (), before: ReadBatcher | None = None) -> None:
        self.remarks = Remarks(antennas, HIGHEST_ANTENNA)
        self.since_s = 0.0
        """Host time at which the oldest read in hand arrived, of those not yet judged."""
        self._clocks = (ReaderClock(), ReaderClock())
        self._fresh: list[tuple[float, TagReport, int]] = []
        self._held: list[_Batch] = []
        self._ready: deque[ReadTable] = deque()
        self._in_hand = 0
        self._remembered: deque[Sequence[tuple[TagReport, int]]] = deque()
        self._heard_before = before.remembered() if before is not None else frozenset()

    def __len__(self) -> int:
        """Reads in hand."""
        return self._in_hand

    @property
    def full(self) -> bool:
        return len(self._fresh) >= MAX_BATCH_READS

    @property
    def clock_steps(self) -> int:
        """Steps of the reader's clocks."""
        return sum(clock.steps for clock in self._clocks)

    @property
    def clock_offset_s(self) -> float | None:
        """Host time minus reader time, None without stamps."""
        return next((clock.offset_s for clock in self._clocks if clock.offset_s is not None), None)

    def remembered(self) -> frozenset[tuple[object, ...]]:
        """What tells the latest reads apart from any others, of reads with a stamp."""
        keys = (_key(report, antenna) for reports in self._remembered for report, antenna in reports)
        return frozenset(key for key in keys if key is not None) or self._heard_before

    def due(self, now_s: float, batch_s: float) -> bool:
        """Whether reads have waited for long enough, those whose time is in doubt for HOLD_S."""
        if self._fresh and now_s - self.since_s >= batch_s:
            return True
        return bool(self._held) and now_s - float(self._held[0].arrived_s[0]) >= HOLD_S

    def take(self, body: bytes, arrived_s: float) -> None:
        """The reads of one RO_ACCESS_REPORT body that arrived at `arrived_s` (host UTC seconds).

        Raises LlrpFrameError for a body that does not add up; none of its reads is taken then.
        """
        for report in decode_report(body):
            antenna = self._antenna_of(report)
            if antenna is None:
                continue
            if not self._fresh:
                self.since_s = arrived_s
            self._fresh.append((arrived_s, report, antenna))
            self._in_hand += 1

    def _antenna_of(self, report: TagReport) -> int | None:
        """The antenna that has heard a tag, None for a report that is no read."""
        found = self.remarks
        if not report.epc:
            found.ignore(remarks.NO_EPC)
            return None
        antenna = report.antenna
        if not antenna:
            if len(found.antennas) != 1:
                found.ignore(remarks.NO_ANTENNA)
                return None
            antenna = found.antennas[0]
            found.lacks(remarks.ONLY_ANTENNA)
        elif antenna > found.highest:
            found.ignore(remarks.STRANGE_ANTENNA, antenna)
            return None
        if self._heard_before and _key(report, antenna) in self._heard_before:
            found.ignore(remarks.REPEATED)
            return None
        return antenna

    def hand_out(self, now_s: float = math.inf) -> ReadTable:
        """Reads in hand, at most MAX_BATCH_READS, in the order of arrival; an unknown channel is 0, what
        else is unknown NaN. Reads whose time is in doubt at `now_s` (host UTC seconds) wait.
        """
        if self._fresh:
            self._judge_fresh()
        if self._held and self._decided(now_s):
            held, self._held = self._held, []
            self._ready.extend(self._table(batch) for batch in held)
        if not self._ready:
            return ReadTable.empty()
        reads = self._ready.popleft()
        self._in_hand -= len(reads)
        return reads

    def _decided(self, now_s: float) -> bool:
        if not any(clock.unsure for clock in self._clocks):
            return True
        if sum(map(len, self._held)) > MAX_HELD_READS:
            return True
        return now_s - float(self._held[0].arrived_s[0]) >= HOLD_S

    def _judge_fresh(self) -> None:
        fresh, self._fresh = self._fresh[:MAX_BATCH_READS], self._fresh[MAX_BATCH_READS:]
        if self._fresh:
            self.since_s = self._fresh[0][0]
        utc = [report.utc_us for _, report, _ in fresh]
        uptime = [report.uptime_us for _, report, _ in fresh]
        stamps = [one or other or math.nan for one, other in zip(utc, uptime, strict=True)]
        batch = _Batch(
            np.array([arrived_s for arrived_s, _, _ in fresh]),
            np.array(stamps, np.float64) / 1e6,
            np.array([_UTC if one else _UPTIME for one in utc], np.int8),
            [(report, antenna) for _, report, antenna in fresh],
        )
        self._judge(batch)
        self._remembered.append(batch.reports)
        while sum(map(len, self._remembered)) - len(self._remembered[0]) > MAX_REMEMBERED:
            self._remembered.popleft()

    def _judge(self, batch: _Batch) -> None:
        """Let the clocks judge a batch. What came after the newest stamp with older ones only is judged by
        itself: a reader's clock may have stepped in the middle."""
        splits = [len(batch)]
        for number, clock in enumerate(self._clocks):
            own = np.flatnonzero((batch.clock == number) & ~np.isnan(batch.stamp_s))
            if len(own):
                newest = own[batch.stamp_s[own].argmax()]
                clock.judge(float(batch.stamp_s[newest]), float(batch.arrived_s[newest]))
                later = own[batch.arrived_s[own] > batch.arrived_s[newest] + APART_S]
                if len(later) and batch.stamp_s[later].max() < batch.stamp_s[newest] - FRESH_S:
                    splits.append(int(later[0]))
        split = min(splits)
        self._held.append(batch.part(slice(0, split)))
        if split < len(batch):
            self._judge(batch.part(slice(split, None)))

    def _table(self, batch: _Batch) -> ReadTable:
        reports = [report for report, _ in batch.reports]
        self.remarks.reads += len(reports)
        rssi_dbm = _numbers([report.rssi_dbm for report in reports])
        phase_rad = _numbers([report.phase_rad for report in reports])
        channel = [
            report.channel if report.channel and report.channel <= HIGHEST_CHANNEL else 0
            for report in reports
        ]
        self._note(remarks.NO_PHASE, np.isnan(phase_rad))
        self._note(remarks.NO_RSSI, np.isnan(rssi_dbm))
        self._note(remarks.NO_CHANNEL, np.array(channel) == 0)
        no_rssi = (rssi_dbm <= RSSI_DBM[0]) | (rssi_dbm >= RSSI_DBM[1])
        rssi_dbm[self._note(remarks.ODD_RSSI, no_rssi)] = math.nan
        phase_rad[self._note(remarks.ODD_PHASE, phase_rad > TWO_PI + 1e-6)] = math.nan
        phase_rad[phase_rad >= TWO_PI] = 0.0
        return ReadTable.from_columns(
            self._times(batch),
            [report.epc for report in reports],
            [antenna for _, antenna in batch.reports],
            channel,
            rssi_dbm,
            phase_rad,
        )

    def _times(self, batch: _Batch) -> NDArray[np.float64]:
        times: NDArray[np.float64] = batch.arrived_s.copy()
        stamped = ~np.isnan(batch.stamp_s)
        self._note(remarks.NO_STAMP, ~stamped)
        for number, clock in enumerate(self._clocks):
            own = np.flatnonzero((batch.clock == number) & stamped)
            if len(own):
                times[own], useful = clock.to_host(batch.stamp_s[own], batch.arrived_s[own])
                if not clock.stands:
                    self._note(remarks.ODD_STAMP, ~useful)
        self.remarks.clock_stands = any(clock.stands for clock in self._clocks)
        return times

    def _note(self, what: str, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Count the rows that lack something, and return them."""
        if rows.any():
            self.remarks.lacks(what, int(rows.sum()))
        return rows


def _numbers(values: list[float | None]) -> NDArray[np.float64]:
    """Numbers with NaN where there is none."""
    return np.array(values, np.float64)


def _key(report: TagReport, antenna: int) -> tuple[object, ...] | None:
    """What no two reads share; None for a read without a stamp."""
    if not report.utc_us and not report.uptime_us:
        return None
    return report.epc, antenna, report.utc_us, report.uptime_us, report.phase_rad
