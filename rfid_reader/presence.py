"""Try-ons: a tag that a fitting room's antenna reads for long enough."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from rfid_reader.reads import ReadTable

MAX_TAGS = 4_096
MADE_ROOM = 256


@dataclass(frozen=True)
class Presence:
    """A tag was in a fitting room from start_s to end_s (UTC seconds), read `reads` times by `antenna`.

    While `open`, it is still there and end_s is the last read; the closed presence follows with the same
    start.
    """

    epc: str
    antenna: int
    start_s: float
    end_s: float
    reads: int
    open: bool


@dataclass
class _Stay:
    start_s: float
    last_s: float
    reads: int
    said: bool


class FittingRooms:
    """Follows tags on fitting-room antennas.

    A tag counts as present once it was read at least `least_reads` times over at least `least_s`, at RSSI of
    `least_rssi_dbm` or more (a tag that only passes by is weak or short); it has left after `gone_s` without
    a read. At most MAX_TAGS are followed; where more come, those that were heard least recently of
    all that are not yet present are given up.
    """

    def __init__(
        self,
        antennas: set[int],
        *,
        least_s: float = 10.0,
        least_reads: int = 8,
        gone_s: float = 15.0,
        least_rssi_dbm: float = -68.0,
    ) -> None:
        self.antennas = antennas
        self.least_s = least_s
        self.least_reads = least_reads
        self.gone_s = gone_s
        self.least_rssi_dbm = least_rssi_dbm
        self.refused = 0
        """Reads of tags for which there was no room."""
        self._stays: dict[tuple[str, int], _Stay] = {}

    def feed(self, reads: ReadTable) -> list[Presence]:
        """Take reads in arrival order; returns stays that became certain or ended."""
        said: list[Presence] = []
        columns = (reads.time_s.tolist(), reads.epc.tolist(), reads.antenna.tolist(), reads.rssi_dbm.tolist())
        for time_s, epc, antenna, rssi_dbm in zip(*columns, strict=True):
            if antenna not in self.antennas or rssi_dbm < self.least_rssi_dbm:
                continue
            key = (epc, antenna)
            stay = self._stays.get(key)
            if stay is not None and time_s - stay.last_s > self.gone_s:
                said += self._leave(key)
                stay = None
            if stay is None:
                if len(self._stays) < MAX_TAGS or self._make_room():
                    self._stays[key] = _Stay(time_s, time_s, 1, False)
                else:
                    self.refused += 1
                continue
            stay.last_s = max(stay.last_s, time_s)
            stay.reads += 1
            if (
                not stay.said
                and stay.reads >= self.least_reads
                and stay.last_s - stay.start_s >= self.least_s
            ):
                stay.said = True
                said.append(Presence(epc, antenna, stay.start_s, stay.last_s, stay.reads, True))
        return said

    def advance(self, time_s: float) -> list[Presence]:
        """Time has passed: stays without reads for gone_s end."""
        over = [key for key, stay in self._stays.items() if time_s - stay.last_s > self.gone_s]
        return [presence for key in over for presence in self._leave(key)]

    def finish(self) -> list[Presence]:
        """No more reads: every stay ends."""
        return [presence for key in list(self._stays) for presence in self._leave(key)]

    def _make_room(self) -> bool:
        """Give up the tags heard least recently that nothing was said of yet; False where there is none."""
        unsaid = ((stay.last_s, key) for key, stay in self._stays.items() if not stay.said)
        for _, key in heapq.nsmallest(MADE_ROOM, unsaid):
            del self._stays[key]
        return len(self._stays) < MAX_TAGS

    def _leave(self, key: tuple[str, int]) -> list[Presence]:
        stay = self._stays.pop(key)
        if not stay.said:
            return []
        return [Presence(key[0], key[1], stay.start_s, stay.last_s, stay.reads, False)]
