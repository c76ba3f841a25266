"""Walks from zone to zone, counted in the interval in which the person arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from contract.facts import Flow
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.intervals import Interval, IntervalClock
from runtime.store.counts.quality import quality_of
from runtime.store.counts.zones import ZoneChange

WALK_LIMIT_S = 300.0
"""Later than this after leaving a zone, the next zone is a new beginning."""
MAX_PERSONS = 1024


class FlowCounter:
    """Transitions between zones."""

    def __init__(self, length_s: float, begin_s: float, coverage: CoverageMeter) -> None:
        self._intervals = IntervalClock(length_s, begin_s)
        self._coverage = coverage
        self._came_from: dict[int, tuple[str, float]] = {}
        self._transitions: dict[int, Counter[tuple[str, str]]] = {}

    def apply_plan(self, zones: Collection[str], length_s: float, settled_s: float) -> list[Flow]:
        """Go on with these zones; where the interval changed, what was counted by now is reported."""
        self._came_from = {person: left for person, left in self._came_from.items() if left[0] in zones}
        if length_s == self._intervals.length_s:
            return []
        facts = self.cut(settled_s)
        unsettled = sum(self._transitions.values(), Counter[tuple[str, str]]())
        self._intervals = IntervalClock(length_s, max(settled_s, self._intervals.begin_s))
        self._transitions = {self._intervals.oldest_open: unsettled}
        return facts

    def observe(self, changes: list[ZoneChange]) -> None:
        """Zones entered and left."""
        for change in changes:
            if change.leave_s is None:
                self._entered(change)
            else:
                self._came_from.pop(change.person, None)
                self._came_from[change.person] = (change.zone, change.leave_s)
                while len(self._came_from) > MAX_PERSONS:
                    del self._came_from[next(iter(self._came_from))]

    def _entered(self, change: ZoneChange) -> None:
        origin, left_s = self._came_from.get(change.person, (change.zone, change.enter_s))
        if origin == change.zone or change.enter_s - left_s > WALK_LIMIT_S:
            return
        index = max(self._intervals.index(change.enter_s), self._intervals.oldest_open)
        self._transitions.setdefault(index, Counter())[origin, change.zone] += 1

    def close(self, settled_s: float) -> list[Flow]:
        """Facts of the intervals over by `settled_s`."""
        return [fact for window in self._intervals.closed(settled_s) for fact in self._facts(window)]

    def cut(self, time_s: float) -> list[Flow]:
        """Facts of everything up to `time_s`."""
        return [fact for window in self._intervals.cut(time_s) for fact in self._facts(window)]

    def _facts(self, window: Interval) -> list[Flow]:
        transitions = self._transitions.pop(window.number, Counter())
        coverage = self._coverage.of(window.start_s, window.end_s)
        quality = quality_of(coverage, window.end_s - window.start_s)
        return [
            Flow(
                key=window.key("flow", origin, destination),
                time_s=window.end_s,
                origin=origin,
                destination=destination,
                start_s=window.start_s,
                end_s=window.end_s,
                transitions=count,
                partial=window.partial,
                coverage=coverage,
                quality=quality,
            )
            for (origin, destination), count in sorted(transitions.items())
        ]
