"""What a reader's reports lack, counted as they come and said in words."""

from __future__ import annotations

from collections import Counter

LEAST_READS = 10
"""Reads after which a field that half of them lack is said to be missing."""

NO_ANTENNA, STRANGE_ANTENNA, NO_EPC, REPEATED = (
    "reports that name no antenna", "reports of an antenna the reader has not",
    "reports without an EPC", "reports that were sent before",
)  # fmt: skip
"""Why a report is no read."""
NO_PHASE, NO_RSSI, NO_CHANNEL, NO_STAMP = "phase", "RSSI", "channel", "time stamp"
ONLY_ANTENNA, ODD_RSSI, ODD_PHASE, ODD_STAMP = "only antenna", "odd RSSI", "odd phase", "odd stamp"

_MISSING = {
    NO_PHASE: "the reader gives no phase: no flips can be found",
    NO_RSSI: "the reader gives no RSSI: no flips can be found, and a fitting room takes the weakest read",
    NO_CHANNEL: "the reader gives no channel: what hopping does to the phase is taken for movement",
    NO_STAMP: "the reader gives no time with its reads: the time of their arrival is used",
}
_ODD = {
    ODD_RSSI: "{count} reads with an RSSI that no reader measures (0 dBm or more, -127 or less) are taken as "
    "unknown",
    ODD_PHASE: "{count} reads with a phase beyond a full turn are taken as unknown",
    ODD_STAMP: "{count} reads with a time stamp that fits no other are taken at the time of their arrival",
}


class Remarks:
    """Counts of one connection. `antennas` are those in use and `highest` the reader's last one, as far as
    it is known."""

    def __init__(self, antennas: tuple[int, ...] = (), highest: int = 255) -> None:
        self.antennas = antennas
        self.highest = highest
        self.reads = 0
        self.ignored: Counter[str] = Counter()
        self.clock_stands = False
        self._lacking: Counter[str] = Counter()
        self._strange_antenna = 0

    def ignore(self, why: str, antenna: int = 0) -> None:
        """A report that is no read; `antenna` as it names it."""
        self.ignored[why] += 1
        self._strange_antenna = antenna or self._strange_antenna

    def lacks(self, what: str, reads: int = 1) -> None:
        """So many reads that lack something, or have a value that cannot be."""
        self._lacking[what] += reads

    def missing(self, what: str) -> bool:
        """Whether most reads lack it."""
        return self.reads >= LEAST_READS and 2 * self._lacking[what] >= self.reads

    def sentences(self) -> list[str]:
        """What a person has to know, the worst first."""
        said = []
        if count := self.ignored[NO_ANTENNA]:
            said.append(
                f"{count} reports name no antenna and are not counted, since {self._in_use()}: "
                "let the reader report its antennas, or use one antenna only"
            )
        if count := self.ignored[STRANGE_ANTENNA]:
            said.append(
                f"{count} reports name an antenna that the reader does not have ({self._strange_antenna}; "
                f"1 to {self.highest} would be right) and are not counted"
            )
        if count := self.ignored[NO_EPC]:
            said.append(f"{count} reports carry no EPC and are not counted")
        if count := self.ignored[REPEATED]:
            said.append(f"{count} reports came again after the connection was lost and count once")
        said += [text for what, text in _MISSING.items() if self.missing(what)]
        if self.clock_stands:
            said.append("the reader's clock stands still: the time of arrival is used")
        if self._lacking[ONLY_ANTENNA]:
            said.append(f"reports name no antenna: taken as antenna {self.antennas[0]}, the only one in use")
        return said + [
            text.format(count=self._lacking[what]) for what, text in _ODD.items() if self._lacking[what]
        ]

    def _in_use(self) -> str:
        if not self.antennas:
            return "which ones are in use is not known yet"
        return f"{len(self.antennas)} are in use"
