"""What a consumer knows of one stream of a device: which numbers came, which will not, which are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from contract.ranges import SeqRanges
from contract.wire import MAX_INCARNATIONS


class StreamAccount(msgspec.Struct):
    """The ledger of one stream.

    `seen` arrived, `named` a gap event of this stream named, `aside` was kept as unreadable, `gone` the
    device says it no longer has (delivered to somebody before). `orphaned` a later stream of the device has
    named: lost, and yet no reason to acknowledge, for another device may go on with this stream. `duplicates`
    counts events that came again, `clashes` numbers that stand for two events. `incarnations` are the latest
    starts of the writer that were told, each with the greatest number that had come before. Up to
    `delivered` the device counts as delivered: more than came, where this database was put back from a copy.
    """

    seen: SeqRanges
    named: SeqRanges
    gone: SeqRanges
    aside: SeqRanges
    orphaned: SeqRanges
    duplicates: int = 0
    clashes: int = 0
    incarnations: dict[str, int] = msgspec.field(default_factory=dict)
    delivered: int = 0
    _settled: SeqRanges | None = None

    def arrived(self, seq: int) -> None:
        """An event with this number is kept."""
        self.seen.add(seq)
        if self._settled is not None:
            self._settled.add(seq)

    def put_aside(self, seq: int) -> None:
        """An event with this number came and cannot be read; it is kept as it came."""
        self.aside.add(seq)
        self._settled = None

    def name(self, ranges: Iterable[tuple[int, int]]) -> None:
        """A gap event of this stream: these will not come."""
        self.named.update(ranges)
        self._settled = None

    def orphan(self, ranges: Iterable[tuple[int, int]]) -> None:
        """A gap event of a later stream: of what this one turns out to have had, these will not come."""
        self.orphaned.update(ranges)

    def only_from(self, oldest_seq: int) -> None:
        """The device's own last word on the first number that can still come."""
        self.gone = SeqRanges([(1, oldest_seq - 1)] if oldest_seq > 1 else [])
        self._settled = None

    def started(self, incarnation: str) -> bool:
        """The writer was started; True where this was not known."""
        if not incarnation or incarnation in self.incarnations:
            return False
        self.incarnations[incarnation] = self.last_seq()
        while len(self.incarnations) > MAX_INCARNATIONS:
            del self.incarnations[next(iter(self.incarnations))]
        return True

    def counts_as_delivered(self, seq: int) -> None:
        """The device has been told by somebody that everything up to `seq` arrived."""
        self.delivered = max(self.delivered, seq)

    def first_missing(self) -> int | None:
        """The first number that can still come although it, or a later one, should be here; None where all
        is whole."""
        return next((first for first, _ in _missing(self.settled(), self.delivered)), None)

    def missing(self) -> list[tuple[int, int]]:
        """What neither came nor is named, up to the last number that came or that counts as delivered."""
        return list(_missing(self.known(), self.delivered))

    def last_seq(self) -> int:
        """The greatest number that came."""
        return max(self.seen.last(), self.aside.last())

    def known(self) -> SeqRanges:
        """Arrived, kept aside, or named in a gap."""
        ranges = SeqRanges(self.seen)
        for others in (self.named, self.aside, self._lost()):
            ranges.update(others)
        return ranges

    def _lost(self) -> list[tuple[int, int]]:
        """What is orphaned of the numbers that this stream is known to have had."""
        last = self.last_seq()
        return [(first, min(end, last)) for first, end in self.orphaned if first <= last]

    def settled(self) -> SeqRanges:
        """Nothing more can come of these: what may be acknowledged."""
        if self._settled is None:
            self._settled = SeqRanges(self.seen)
            for others in (self.named, self.aside, self.gone):
                self._settled.update(others)
        return self._settled

    def named_in_gaps(self) -> int:
        """How many numbers did not come and are named in a gap event."""
        ranges = SeqRanges(self.named)
        for first, last in self._lost():
            ranges.update(self.seen.missing(last, first))
        return ranges.count()


def _missing(ranges: SeqRanges, at_least: int) -> Iterator[tuple[int, int]]:
    return ranges.missing(max(ranges.last(), at_least))


def new_account() -> StreamAccount:
    """Of a stream that nothing is known of."""
    return StreamAccount(SeqRanges(), SeqRanges(), SeqRanges(), SeqRanges(), SeqRanges())
