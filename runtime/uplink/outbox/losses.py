"""What had to be dropped, and how it is remembered until a gap event has said so."""

from __future__ import annotations

import msgspec

from contract.gaps import Gap, gap_facts
from contract.ranges import SeqRanges

OUTBOX_FULL = "the outbox reached its size limit"
DISK_REFUSED = "the disk refused writes"
UNSENDABLE = "the broker takes no message of that size"
OUTBOX_LOST = "the outbox file was damaged or removed"
DROP_RANK = {
    "heatmap": 0,
    "health": 0,
    "occupancy": 0,
    "flow": 1,
    "dwell": 1,
    "footfall": 2,
    "visit": 2,
    "flip": 3,
    "tryon": 3,
    "inventory": 3,
    "attributes": 3,
    "interaction": 4,
    "store": 4,
    "gap": 5,
}
"""What goes first when the outbox is full: the lowest rank, oldest first."""


class _Noted(msgspec.Struct):
    ranges: str
    kinds: dict[str, int]


class Losses:
    """Sequence numbers that were dropped, by reason, with a count by kind."""

    def __init__(self) -> None:
        self._ranges: dict[str, SeqRanges] = {}
        self._kinds: dict[str, dict[str, int]] = {}

    def add(self, why: str, first: int, last: int, kind: str | None = None) -> None:
        """`first` to `last` were dropped; `kind` where it is known."""
        self._ranges.setdefault(why, SeqRanges()).add(first, last)
        kinds = self._kinds.setdefault(why, {})
        if kind is not None:
            kinds[kind] = kinds.get(kind, 0) + last - first + 1

    def update(self, other: Losses) -> None:
        """Take in another's."""
        for why, ranges in other._ranges.items():
            self._ranges.setdefault(why, SeqRanges()).update(ranges)
            kinds = self._kinds.setdefault(why, {})
            for kind, count in other._kinds[why].items():
                kinds[kind] = kinds.get(kind, 0) + count

    def gaps(self, time_s: float) -> list[Gap]:
        """The events that say it."""
        return [
            gap
            for why, ranges in self._ranges.items()
            for gap in gap_facts(list(ranges), why, time_s, self._kinds[why])
        ]

    def up_to(self, seq: int) -> Losses:
        """A copy without the numbers after `seq`; where it leaves some out, nothing is said of kinds."""
        losses = Losses()
        for why, ranges in self._ranges.items():
            kept = [(first, min(last, seq)) for first, last in ranges if first <= seq]
            if kept:
                losses._ranges[why] = SeqRanges(kept)
                losses._kinds[why] = dict(self._kinds[why]) if ranges.last() <= seq else {}
        return losses

    def note(self) -> str:
        """As text, to be read back by `from_note`."""
        noted = {why: _Noted(str(ranges), self._kinds[why]) for why, ranges in self._ranges.items()}
        return msgspec.json.encode(noted).decode()

    @classmethod
    def from_note(cls, text: str | None) -> Losses:
        """What `note` wrote; nothing for None. Raises msgspec.DecodeError or ValueError for other text."""
        losses = cls()
        for why, noted in msgspec.json.decode(text or "{}", type=dict[str, _Noted]).items():
            losses._ranges[why] = SeqRanges.parse(noted.ranges)
            losses._kinds[why] = noted.kinds
        return losses

    def last(self) -> int:
        """The greatest number; 0 without any."""
        return max((ranges.last() for ranges in self._ranges.values()), default=0)

    def count(self) -> int:
        """How many numbers."""
        return sum(ranges.count() for ranges in self._ranges.values())

    def __bool__(self) -> bool:
        return bool(self._ranges)
