"""Person-seconds per grid cell and per zone, by interval."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from contract.facts import Cell, Heatmap
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.intervals import Interval, IntervalClock
from runtime.store.counts.quality import quality_of
from runtime.store.floorplan import FloorPlan
from runtime.store.people.identity import TrackPoint

LONGEST_STEP_S = 1.0
"""A person out of sight for longer spends the rest of that time nowhere."""
MAX_PERSONS = 1024
CELLS_PER_PART = 1000
MAX_CELLS = 20_000
"""Cells kept an interval: a floor of 100 x 50 m at 0.5 m. Beyond it new cells are counted in zones only."""
LEAST_S = 0.05


@dataclass
class _Heat:
    cells: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))
    zones: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class HeatmapBook:
    """Heat of the whole floor."""

    def __init__(self, plan: FloorPlan, begin_s: float, coverage: CoverageMeter) -> None:
        self._plan = plan
        self._intervals = IntervalClock(plan.intervals.heatmap_s, begin_s)
        self._coverage = coverage
        self._last_s: dict[int, float] = {}
        self._heat: dict[int, _Heat] = {}

    def apply_plan(self, plan: FloorPlan, now_s: float) -> list[Heatmap]:
        """Go on by another plan; where its zones or the interval changed, the heat so far is reported."""
        before, length_s = self._plan, plan.intervals.heatmap_s
        if plan.zones == before.zones and length_s == self._intervals.length_s:
            self._plan = plan
            return []
        facts = self.cut(now_s)
        self._plan = plan
        self._intervals = IntervalClock(length_s, max(now_s, self._intervals.begin_s))
        self._heat.clear()
        return facts

    def observe(self, points: Sequence[TrackPoint]) -> None:
        """Add the time since each person's last point to where they are now."""
        leading = [point for point in points if point.lead]
        if not leading:
            return
        x0, y0, x1, y1 = self._plan.extent_m
        for point in leading:
            spent_s = self._spent(point.person, point.position.time_s)
            if spent_s <= 0:
                continue
            heat = self._of(point.position.time_s)
            x_m, y_m = point.position.x_m, point.position.y_m
            at = (math.floor((x_m - x0) / self._plan.cell_m), math.floor((y_m - y0) / self._plan.cell_m))
            on_floor = x0 <= x_m < x1 and y0 <= y_m < y1
            if on_floor and (at in heat.cells or len(heat.cells) < MAX_CELLS):
                heat.cells[at] += spent_s
            for zone in self._plan.zones:
                if zone.holds(x_m, y_m):
                    heat.zones[zone.name] += spent_s

    def _spent(self, person: int, time_s: float) -> float:
        last_s = self._last_s.pop(person, time_s)
        self._last_s[person] = time_s
        while len(self._last_s) > MAX_PERSONS:
            del self._last_s[next(iter(self._last_s))]
        return min(time_s - last_s, LONGEST_STEP_S)

    def _of(self, time_s: float) -> _Heat:
        index = max(self._intervals.index(time_s), self._intervals.oldest_open)
        return self._heat.setdefault(index, _Heat())

    def close(self, settled_s: float) -> list[Heatmap]:
        """Facts of the intervals over by `settled_s`."""
        return [fact for window in self._intervals.closed(settled_s) for fact in self._facts(window)]

    def cut(self, time_s: float) -> list[Heatmap]:
        """Facts of everything up to `time_s`."""
        return [fact for window in self._intervals.cut(time_s) for fact in self._facts(window)]

    def _facts(self, window: Interval) -> list[Heatmap]:
        heat = self._heat.pop(window.number, _Heat())
        cells = [
            Cell(column, row, round(spent_s, 2))
            for (column, row), spent_s in sorted(heat.cells.items())
            if spent_s >= LEAST_S
        ]
        pages = [cells[at : at + CELLS_PER_PART] for at in range(0, len(cells), CELLS_PER_PART)] or [[]]
        zones = {zone.name: round(heat.zones.get(zone.name, 0.0), 2) for zone in self._plan.zones}
        coverage = self._coverage.of(window.start_s, window.end_s)
        quality = quality_of(coverage, window.end_s - window.start_s)
        return [
            Heatmap(
                key=window.key("heatmap", str(part)),
                time_s=window.end_s,
                start_s=window.start_s,
                end_s=window.end_s,
                zones=zones if part == 0 else {},
                cells=tuple(page),
                origin_m=self._plan.extent_m[:2],
                cell_m=self._plan.cell_m,
                part=part,
                parts=len(pages),
                partial=window.partial,
                coverage=coverage if part == 0 else (),
                quality=quality,
            )
            for part, page in enumerate(pages)
        ]
