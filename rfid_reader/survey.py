"""What a reader's antennas hear, tag by tag, over the last minutes: bounded and cheap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rfid_reader.reads import ReadTable

BANDS_DBM = (-45.0, -55.0, -65.0)
"""Reads are strong, good, weak or faint: above the first of these, above the second, and so on."""
KEEP_S = 300.0
"""A tag that was not read for so long is not there."""
MAX_TAGS = 20_000
MAX_SHARED = 40
LEAST_READS = 8
"""By fewer nothing is said of a tag."""
SHARED_SHARE = 0.3
"""Of the reads of its best antenna: whoever reads a tag so often has it, too."""
SHARED_DB = 6.0
"""And so much weaker at most: a tag that is clearly louder at one rack hangs there."""
LOUDER_DB = 3.0
NONE = (0, 0, 0, 0)


@dataclass
class _Heard:
    reads: int = 0
    rssi_sum: float = 0.0
    last_s: float = 0.0

    @property
    def rssi_dbm(self) -> float:
        return self.rssi_sum / self.reads


@dataclass(frozen=True)
class AntennaSurvey:
    """One antenna since the last survey: reads, how many of them in each band, and how many tags lately.

    `louder_elsewhere` of these tags are heard better by another antenna, most of them by `elsewhere` (a
    port, 0 for none).
    """

    port: int
    reads: int
    bands: tuple[int, int, int, int]
    tags: int
    louder_elsewhere: int
    elsewhere: int


@dataclass(frozen=True)
class SharedTag:
    """A tag that several antennas have: port, reads, mean RSSI, the best first."""

    epc: str
    heard: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True)
class ReaderSurvey:
    """All antennas of a reader. `stock_heard` of the tags are of the store's stock."""

    antennas: tuple[AntennaSurvey, ...]
    tags: int
    stock_heard: int
    shared: tuple[SharedTag, ...]


@dataclass
class TagSurvey:
    """Fed with reads, asked from time to time. `is_stock` says whether a tag is of the store's stock."""

    is_stock: Callable[[str], bool]
    refused: int = 0
    _tags: dict[str, dict[int, _Heard]] = field(default_factory=dict)
    _bands: dict[int, list[int]] = field(default_factory=dict)

    def feed(self, reads: ReadTable) -> None:
        """One batch."""
        if not len(reads):
            return
        band = np.searchsorted(-np.array(BANDS_DBM), -reads.rssi_dbm, side="left")
        for port in np.unique(reads.antenna).tolist():
            counts = np.bincount(band[reads.antenna == port], minlength=4)
            kept = self._bands.setdefault(port, [0, 0, 0, 0])
            for index, count in enumerate(counts.tolist()):
                kept[index] += count
        columns = zip(
            reads.epc.tolist(),
            reads.antenna.tolist(),
            reads.rssi_dbm.tolist(),
            reads.time_s.tolist(),
            strict=True,
        )
        for epc, port, rssi_dbm, time_s in columns:
            by_port = self._tags.get(epc)
            if by_port is None:
                if len(self._tags) >= MAX_TAGS:
                    self.refused += 1
                    continue
                by_port = self._tags[epc] = {}
            heard = by_port.setdefault(port, _Heard())
            heard.reads += 1
            heard.rssi_sum += rssi_dbm
            heard.last_s = time_s

    def ask(self, now_s: float) -> ReaderSurvey:
        """The last minutes; counts of reads begin anew."""
        self._forget(now_s)
        bands = {port: (kept[0], kept[1], kept[2], kept[3]) for port, kept in self._bands.items()}
        self._bands = {}
        tags, louder = self._counted()
        antennas = [
            AntennaSurvey(
                port,
                sum(bands.get(port, NONE)),
                bands.get(port, NONE),
                tags.get(port, 0),
                sum(louder.get(port, {}).values()),
                max(louder.get(port, {0: 0}).items(), key=lambda item: item[1])[0],
            )
            for port in sorted({*bands, *tags})
        ]
        shared = sorted(filter(None, map(_shared, self._tags, self._tags.values())), key=_second_reads)
        stock_heard = sum(map(self.is_stock, self._tags))
        return ReaderSurvey(tuple(antennas), len(self._tags), stock_heard, tuple(shared[:MAX_SHARED]))

    def _counted(self) -> tuple[dict[int, int], dict[int, dict[int, int]]]:
        """By port: how many tags; and how many of them each other port hears louder."""
        tags: dict[int, int] = {}
        louder: dict[int, dict[int, int]] = {}
        for by_port in self._tags.values():
            loudest = max(by_port, key=lambda port: by_port[port].rssi_dbm)
            for port, heard in by_port.items():
                tags[port] = tags.get(port, 0) + 1
                if by_port[loudest].rssi_dbm - heard.rssi_dbm >= LOUDER_DB:
                    counts = louder.setdefault(port, {})
                    counts[loudest] = counts.get(loudest, 0) + 1
        return tags, louder

    def _forget(self, now_s: float) -> None:
        for epc in list(self._tags):
            by_port = self._tags[epc]
            for port in [port for port, heard in by_port.items() if heard.last_s < now_s - KEEP_S]:
                del by_port[port]
            if not by_port:
                del self._tags[epc]


def _shared(epc: str, by_port: dict[int, _Heard]) -> SharedTag | None:
    """The tag, if more than one antenna has it."""
    most = max(heard.reads for heard in by_port.values())
    loudest_dbm = max(heard.rssi_dbm for heard in by_port.values())
    often = [
        port
        for port, heard in by_port.items()
        if heard.reads >= SHARED_SHARE * most and heard.rssi_dbm >= loudest_dbm - SHARED_DB
    ]
    if len(often) < 2 or most < LEAST_READS:
        return None
    rows = [(port, by_port[port].reads, round(by_port[port].rssi_dbm, 1)) for port in often]
    return SharedTag(epc, tuple(sorted(rows, key=lambda row: -row[1])))


def _second_reads(tag: SharedTag) -> int:
    return -tag.heard[1][1]
