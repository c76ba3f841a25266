"""What a recording's reads do not allow a detector to judge, in words."""

from __future__ import annotations

import math

import numpy as np

from rfid_reader.flips.ticks import REORDER_S
from rfid_reader.reads import ReadTable
from rfid_reader.session.remarks import NO_CHANNEL, NO_PHASE, NO_RSSI, Remarks


class RecordingRemarks:
    """Counts of a recording, batch by batch."""

    def __init__(self) -> None:
        self._lacking = Remarks()
        self._late = 0
        self._now_s = -math.inf

    def take(self, reads: ReadTable) -> None:
        """One batch, in the order of the recording."""
        if not len(reads):
            return
        latest_s = np.maximum.accumulate(np.maximum(reads.time_s, self._now_s))
        self._late += int((reads.time_s < latest_s - REORDER_S).sum())
        self._now_s = float(latest_s[-1])
        self._lacking.reads += len(reads)
        for what, lacks in (
            (NO_PHASE, np.isnan(reads.phase_rad)),
            (NO_RSSI, np.isnan(reads.rssi_dbm)),
            (NO_CHANNEL, reads.channel == 0),
        ):
            self._lacking.lacks(what, int(lacks.sum()))

    def lacking(self) -> list[str]:
        """What most reads do not have, or that there are none."""
        return self._lacking.sentences() if self._lacking.reads else ["there are no reads in it"]

    def sentences(self) -> list[str]:
        """Everything, the worst first; nothing of a recording as it should be."""
        said = self.lacking()
        if self._late:
            said.append(
                f"{self._late} of {self._lacking.reads} reads come more than {REORDER_S:g} s after later "
                "ones, so flips are missed and invented: sort them by time_s"
            )
        return said
