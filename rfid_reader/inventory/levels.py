"""What each antenna heard of each tag since the last time that was asked: reads and mean level."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rfid_reader.reads import ReadTable

MAX_TAGS = 8_192
PERIOD_S = 5.0
"""How long levels are gathered before they are told."""
NO_RSSI_DBM = -70.0
"""Taken for a read without RSSI: then a tag is where it is read most."""

Levels = tuple[tuple[int, int, float], ...]
"""Of one tag: port, reads and mean RSSI in dBm of each antenna that heard it."""


TAGS_A_RECORD = 128
MOST_ANTENNAS = 8


def told(tags: Sequence[tuple[str, Levels]]) -> Iterator[tuple[tuple[tuple[str, Levels], ...], bool]]:
    """Levels in parts that fit a record, and whether more follow: one part without tags where there are none.
    Of antennas beyond the MOST_ANTENNAS that read a tag most nothing is told."""
    for start in range(0, max(len(tags), 1), TAGS_A_RECORD):
        part = tuple(
            (epc, tuple(sorted(levels, key=lambda one: -one[1])[:MOST_ANTENNAS]))
            for epc, levels in tags[start : start + TAGS_A_RECORD]
        )
        yield part, start + TAGS_A_RECORD < len(tags)


class TagLevels:
    """Fed with reads, emptied by `take`; reads of more than MAX_TAGS tags are refused and counted."""

    def __init__(self) -> None:
        self.refused = 0
        self._tags: dict[str, dict[int, tuple[int, float]]] = {}

    def feed(self, reads: ReadTable) -> None:
        """One batch, in any order."""
        columns = (reads.epc.tolist(), reads.antenna.tolist(), reads.rssi_dbm.tolist())
        for epc, port, rssi_dbm in zip(*columns, strict=True):
            by_port = self._tags.get(epc)
            if by_port is None:
                if len(self._tags) >= MAX_TAGS:
                    self.refused += 1
                    continue
                by_port = self._tags[epc] = {}
            count, total = by_port.get(port, (0, 0.0))
            by_port[port] = count + 1, total + (NO_RSSI_DBM if math.isnan(rssi_dbm) else rssi_dbm)

    def take(self) -> list[tuple[str, Levels]]:
        """Every tag heard since the last call."""
        found = [
            (epc, tuple((port, count, total / count) for port, (count, total) in by_port.items()))
            for epc, by_port in self._tags.items()
        ]
        self._tags = {}
        return found
