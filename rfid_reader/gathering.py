"""Tag reports gathered into batches of reads, with reader time turned into host time."""

from __future__ import annotations

from rfid_reader.llrp.reports import TagReport, decode_report
from rfid_reader.readerclock import ReaderClock
from rfid_reader.reads import ReadTable

MAX_BATCH_READS = 4096
HIGHEST_ANTENNA = 255
HIGHEST_CHANNEL = 1023


class Gatherer:
    """Collects the reads of one connection; nothing is handed out before it is asked for.

    A report without antenna or EPC, or of an antenna id above HIGHEST_ANTENNA, is not a read: it is counted
    in `ignored`.
    """

    def __init__(self) -> None:
        self.clock = ReaderClock()
        self.ignored = 0
        self.since_s = 0.0
        """Host time at which the oldest read in hand arrived."""
        self._batch: list[tuple[float, TagReport]] = []

    def __len__(self) -> int:
        """Reads in hand."""
        return len(self._batch)

    @property
    def full(self) -> bool:
        return len(self._batch) >= MAX_BATCH_READS

    def take(self, body: bytes, arrived_s: float) -> None:
        """The reads of one RO_ACCESS_REPORT body that arrived at `arrived_s` (host UTC seconds).

        Raises FrameError for a body that does not add up; none of its reads is taken then.
        """
        for report in decode_report(body):
            if not report.antenna or report.antenna > HIGHEST_ANTENNA or not report.epc:
                self.ignored += 1
                continue
            stamp_us = report.utc_us if report.utc_us is not None else report.uptime_us
            time_s = arrived_s if stamp_us is None else self.clock.to_host(stamp_us, arrived_s)
            if not self._batch:
                self.since_s = arrived_s
            self._batch.append((time_s, report))

    def hand_out(self) -> ReadTable:
        """Reads in hand, at most MAX_BATCH_READS, in the order of arrival; an unknown channel is 0, what
        else is unknown NaN.
        """
        batch, self._batch = self._batch[:MAX_BATCH_READS], self._batch[MAX_BATCH_READS:]
        reports = [report for _, report in batch]
        nan = float("nan")
        return ReadTable.from_columns(
            [time_s for time_s, _ in batch],
            [report.epc for report in reports],
            [report.antenna for report in reports],
            [
                report.channel if report.channel and report.channel <= HIGHEST_CHANNEL else 0
                for report in reports
            ],
            [nan if report.rssi_dbm is None else report.rssi_dbm for report in reports],
            [nan if report.phase_rad is None else report.phase_rad for report in reports],
        )
