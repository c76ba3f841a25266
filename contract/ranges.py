"""Sets of sequence numbers as ranges: what was delivered, what was seen, what is missing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

MAX_SEQ = 2**53
"""Greater whole numbers are not the same in every JSON reader; at a thousand events a second, it lasts."""


class SeqRanges:
    """A set of positive integers kept as sorted, disjoint, non-touching ranges (both ends included).

    Memory follows the number of holes, not the number of members.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    @classmethod
    def of(cls, numbers: Iterable[int]) -> SeqRanges:
        """These numbers, which mostly follow on each other."""
        ranges, first, last = cls(), 0, 0
        for number in numbers:
            if number != last + 1 or not first:
                if first:
                    ranges.add(first, last)
                first = number
            last = number
        if first:
            ranges.add(first, last)
        return ranges

    @classmethod
    def parse(cls, text: str) -> SeqRanges:
        """The ranges written by `str()`, such as "1-500,703". Raises ValueError for anything else."""
        ranges = cls()
        for part in filter(None, text.split(",")):
            first, _, last = part.partition("-")
            ranges.add(int(first), int(last or first))
        return ranges

    def add(self, first: int, last: int | None = None) -> None:
        """Take in `first` to `last`, joined with the ranges it overlaps or touches."""
        last = first if last is None else last
        if first < 1 or last < first:
            raise ValueError(f"{first} to {last} is no range of sequence numbers")
        low = bisect_left(self._ends, first - 1)
        high = bisect_right(self._starts, last + 1)
        if low < high:
            first = min(first, self._starts[low])
            last = max(last, self._ends[high - 1])
        self._starts[low:high] = [first]
        self._ends[low:high] = [last]

    def update(self, other: Iterable[tuple[int, int]]) -> None:
        """Take in every range of `other`."""
        for first, last in other:
            self.add(first, last)

    def prefix_end(self) -> int:
        """The last number of the unbroken run that starts at 1; 0 where 1 is missing."""
        return self._ends[0] if self._starts and self._starts[0] == 1 else 0

    def last(self) -> int:
        """The greatest member; 0 for the empty set."""
        return self._ends[-1] if self._ends else 0

    def missing(self, last: int | None = None, first: int = 1) -> Iterator[tuple[int, int]]:
        """The ranges between `first` and `last` (default: the greatest member) that are not in the set."""
        stop = self.last() if last is None else last
        expected = first
        for start, end in self:
            if start > stop:
                break
            if start > expected:
                yield expected, start - 1
            expected = max(expected, end + 1)
        if expected <= stop:
            yield expected, stop

    def count(self) -> int:
        """How many numbers are in the set."""
        return sum(last - first + 1 for first, last in self)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._starts, self._ends, strict=True))

    def __len__(self) -> int:
        """The number of ranges."""
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SeqRanges):
            return NotImplemented
        return self._starts == other._starts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in self)

    def __repr__(self) -> str:
        return f"SeqRanges({self})"
