"""A count of the local day, by label, that only grows."""

from __future__ import annotations

from collections import Counter

MAX_FACTS = 60_000
"""Facts that can still be corrected; of the oldest only their sum is kept."""


class DayCount:
    """Sums of facts of one kind; a fact counts in its highest revision.

    Who reads a counter takes a smaller value for a new beginning, and counts all of it again. So where a
    correction lowers the count, what was told stays until the count has grown past it.
    """

    def __init__(self) -> None:
        self._facts: dict[str, tuple[int, str, int]] = {}
        self._sums: Counter[str] = Counter()
        self._told: Counter[str] = Counter()

    def take(self, key: str, rev: int, label: str, amount: int) -> None:
        """A fact, or its correction; one that was retracted has the amount 0."""
        known = self._facts.get(key)
        if known is not None:
            if known[0] >= rev:
                return
            self._sums[known[1]] -= known[2]
        self._facts[key] = (rev, label, amount)
        self._sums[label] += amount
        if len(self._facts) > MAX_FACTS:
            del self._facts[next(iter(self._facts))]

    def begin_day(self) -> None:
        """Count from 0 again."""
        self._facts.clear()
        self._sums.clear()
        self._told.clear()

    def totals(self) -> dict[str, int]:
        """The count so far, by label."""
        for label, amount in self._sums.items():
            self._told[label] = max(self._told[label], amount)
        return dict(self._told)
