"""Crossings into counts per entrance and interval; a late or withdrawn crossing corrects its interval."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from msgspec.structs import replace

from contract.facts import Footfall
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.intervals import Interval, IntervalClock
from runtime.store.counts.passages import Crossing
from runtime.store.counts.quality import quality_of
from runtime.store.floorplan import EntranceLine

KEPT_WINDOWS, KEPT_S = 10, 120.0
"""Closed intervals an entrance that can still be corrected, and as many as began that long ago: a person who
was lost can be re-associated for half a minute. Older ones stay as they are."""


@dataclass
class _Count:
    entered: int = 0
    left: int = 0
    inferred: int = 0

    def join(self, other: _Count) -> None:
        self.entered += other.entered
        self.left += other.left
        self.inferred += other.inferred

    def add(self, crossing: Crossing) -> None:
        by = -1 if crossing.retracted else 1
        self.inferred += by * crossing.inferred
        if crossing.direction == "in":
            self.entered += by
        else:
            self.left += by


class FootfallBook:
    """Counts of all entrances."""

    def __init__(
        self, entrances: tuple[EntranceLine, ...], length_s: float, begin_s: float, coverage: CoverageMeter
    ) -> None:
        self._entrances = {entrance.name: entrance for entrance in entrances}
        self._intervals = IntervalClock(length_s, begin_s)
        self._coverage = coverage
        self._open: dict[tuple[str, int], _Count] = {}
        self._closed: dict[tuple[str, int], Footfall] = {}
        self._corrected: set[tuple[str, int]] = set()
        self.counts: Counter[str] = Counter(uncounted_late=0)

    def apply_plan(
        self, entrances: tuple[EntranceLine, ...], length_s: float, settled_s: float
    ) -> list[Footfall]:
        """Go on with these entrances; where they or the interval changed, what was counted is reported."""
        changed = {entrance.name: entrance for entrance in entrances}
        length_stays = length_s == self._intervals.length_s
        if length_stays and changed == self._entrances:
            return []
        facts = self.cut(settled_s)
        begin_s = max(settled_s, self._intervals.begin_s)
        self._entrances = changed
        self._intervals = IntervalClock(length_s, begin_s)
        if not length_stays:
            self._closed.clear()
        unsettled = [(name, count) for (name, _), count in self._open.items() if name in changed]
        self._open.clear()
        for name, count in unsettled:
            self._open.setdefault((name, self._intervals.oldest_open), _Count()).join(count)
        return facts

    def add(self, crossing: Crossing) -> None:
        """Count a crossing in the interval it happened in, even if that is closed already.

        What happened before watching began is not counted into the interval in which it began: who watched
        then has reported it.
        """
        at = (crossing.entrance, self._intervals.index(crossing.time_s))
        closed = self._closed.get(at)
        if at[1] >= self._intervals.oldest_open and crossing.time_s >= self._intervals.begin_s:
            self._open.setdefault(at, _Count()).add(crossing)
        elif closed is not None and crossing.time_s >= closed.start_s:
            self._correct(at, crossing)
        else:
            self.counts["uncounted_late"] += 1

    def _correct(self, at: tuple[str, int], crossing: Crossing) -> None:
        fact = self._closed[at]
        count = _Count(fact.entered, fact.left, fact.inferred)
        count.add(crossing)
        rev = fact.rev if at in self._corrected else fact.rev + 1
        self._closed[at] = replace(
            fact, entered=count.entered, left=count.left, inferred=count.inferred, rev=rev
        )
        self._corrected.add(at)

    def close(self, settled_s: float) -> list[Footfall]:
        """Facts of the intervals over by `settled_s`, and of those corrected since the last call."""
        corrected = [self._closed[at] for at in sorted(self._corrected)]
        self._corrected.clear()
        return corrected + self._facts(self._intervals.closed(settled_s))

    def cut(self, time_s: float) -> list[Footfall]:
        """Facts of everything up to `time_s`, the last interval cut short."""
        return self.close(time_s) + self._facts(self._intervals.cut(time_s))

    def _facts(self, windows: list[Interval]) -> list[Footfall]:
        facts = [self._fact(entrance, window) for window in windows for entrance in self._entrances.values()]
        kept = max(KEPT_WINDOWS, math.ceil(KEPT_S / self._intervals.length_s))
        oldest = self._intervals.oldest_open - kept
        self._closed = {at: fact for at, fact in self._closed.items() if at[1] >= oldest}
        return facts

    def _fact(self, entrance: EntranceLine, window: Interval) -> Footfall:
        at = (entrance.name, window.number)
        count = self._open.pop(at, _Count())
        coverage = self._coverage.of(window.start_s, window.end_s, entrance.cameras)
        fact = Footfall(
            key=window.key("footfall", entrance.name),
            time_s=window.end_s,
            entrance=entrance.name,
            start_s=window.start_s,
            end_s=window.end_s,
            entered=count.entered,
            left=count.left,
            inferred=count.inferred,
            partial=window.partial,
            coverage=coverage,
            quality=quality_of(coverage, window.end_s - window.start_s),
        )
        self._closed[at] = fact
        return fact
