"""How many persons are in each zone, and on the whole floor, at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from contract.facts import Occupancy
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.intervals import Interval, IntervalClock
from runtime.store.counts.quality import quality_of
from runtime.store.floorplan import FloorPlan
from runtime.store.people.identity import TrackPoint

OUT_OF_SIGHT_S = 1.0
"""A person out of sight for longer is nowhere until seen again."""
MAX_PERSONS = 1024
FLOOR = None
"""Stands for the whole floor where zones have their names."""


@dataclass
class _Crowd:
    """One interval's persons, by zone."""

    person_s: dict[str | None, float] = field(default_factory=lambda: defaultdict(float))
    most: dict[str | None, int] = field(default_factory=lambda: defaultdict(int))


class OccupancyBook:
    """Occupancy of every zone and of the floor, by interval."""

    def __init__(self, plan: FloorPlan, begin_s: float, coverage: CoverageMeter) -> None:
        self._zones = plan.zones
        self._intervals = IntervalClock(plan.intervals.occupancy_s, begin_s)
        self._coverage = coverage
        self._seen: dict[int, tuple[float, tuple[str, ...]]] = {}
        """When each person was seen last, and in which zones."""
        self._crowds: dict[int, _Crowd] = {}

    def apply_plan(self, plan: FloorPlan, now_s: float) -> list[Occupancy]:
        """Go on by another plan; where its zones or the interval changed, what was counted is reported."""
        length_s = plan.intervals.occupancy_s
        if plan.zones == self._zones and length_s == self._intervals.length_s:
            return []
        facts = self.cut(now_s)
        self._zones = plan.zones
        self._intervals = IntervalClock(length_s, max(now_s, self._intervals.begin_s))
        self._seen.clear()
        self._crowds.clear()
        return facts

    def observe(self, points: Sequence[TrackPoint]) -> None:
        """Who is where; only a person's leading source is asked."""
        leading = [point for point in points if point.lead]
        for point in leading:
            self._add(point)
        for time_s in {point.position.time_s for point in leading}:
            self._count(time_s)

    def _add(self, point: TrackPoint) -> None:
        position = point.position
        last_s, _ = self._seen.pop(point.person, (position.time_s, ()))
        zones = tuple(zone.name for zone in self._zones if zone.holds(position.x_m, position.y_m))
        self._seen[point.person] = position.time_s, zones
        while len(self._seen) > MAX_PERSONS:
            del self._seen[next(iter(self._seen))]
        spent_s = min(position.time_s - last_s, OUT_OF_SIGHT_S)
        if spent_s > 0:
            crowd = self._of(position.time_s)
            for zone in (FLOOR, *zones):
                crowd.person_s[zone] += spent_s

    def _count(self, time_s: float) -> None:
        """Whether there are more persons at this moment than at any other of the interval."""
        now: dict[str | None, int] = defaultdict(int)
        for last_s, zones in self._seen.values():
            if abs(time_s - last_s) <= OUT_OF_SIGHT_S:
                for zone in (FLOOR, *zones):
                    now[zone] += 1
        most = self._of(time_s).most
        for zone, persons in now.items():
            most[zone] = max(most[zone], persons)

    def _of(self, time_s: float) -> _Crowd:
        index = max(self._intervals.index(time_s), self._intervals.oldest_open)
        return self._crowds.setdefault(index, _Crowd())

    def close(self, settled_s: float) -> list[Occupancy]:
        """Facts of the intervals over by `settled_s`."""
        return self._facts(self._intervals.closed(settled_s))

    def cut(self, time_s: float) -> list[Occupancy]:
        """Facts of everything up to `time_s`."""
        return self._facts(self._intervals.cut(time_s))

    def _facts(self, windows: Iterable[Interval]) -> list[Occupancy]:
        return [fact for window in windows for fact in self._of_window(window)]

    def _of_window(self, window: Interval) -> list[Occupancy]:
        crowd = self._crowds.pop(window.number, _Crowd())
        length_s = window.end_s - window.start_s
        coverage = self._coverage.of(window.start_s, window.end_s)
        quality = quality_of(coverage, length_s)
        return [
            Occupancy(
                key=window.key("occupancy", "" if zone is None else zone),
                time_s=window.end_s,
                zone=zone,
                start_s=window.start_s,
                end_s=window.end_s,
                persons_mean=round(crowd.person_s.get(zone, 0.0) / length_s, 3),
                persons_max=crowd.most.get(zone, 0),
                partial=window.partial,
                coverage=coverage,
                quality=quality,
            )
            for zone in (FLOOR, *(zone.name for zone in self._zones))
        ]
