"""Everything people do in one shop: observations, flips and presences in, facts out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from contract.facts import Dwell, Fact, ProcessHealth, Quality
from runtime.messages import FramesMissed, Health, OnFloor, PersonsSeen, TagFlip, TagPresence
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.entrances import LOST_S, REACH_S, EntranceCounter
from runtime.store.counts.flow import FlowCounter
from runtime.store.counts.footfall import FootfallBook
from runtime.store.counts.heatmap import HeatmapBook
from runtime.store.counts.occupancy import OccupancyBook
from runtime.store.counts.passages import Crossing
from runtime.store.counts.quality import quality_of
from runtime.store.counts.visits import VisitBook
from runtime.store.counts.zones import ZoneChange, ZoneKeeper
from runtime.store.floorplan import FloorPlan
from runtime.store.garments.interactions import Interactions
from runtime.store.garments.matching import MatchSettings
from runtime.store.garments.tryon import TryOnBook
from runtime.store.ordering import DEFAULT_WINDOW_S, ReorderWindow
from runtime.store.people.id_switches import IdSwitch
from runtime.store.people.identity import PROBATION_S, Appearance, GlobalTracks, Joining, Parting, TrackPoint
from runtime.store.people.paths import RecentPaths
from runtime.store.people.visitors import Token, VisitorIds, next_midnight_s

LEAST_DWELL_S = 2.0
SETTLING_S = LOST_S + PROBATION_S + 1.0
"""After this long (and the reorder window) a crossing or stay is known, so an interval may be reported."""
TURN_S = 0.05
"""Records of many cameras are processed together, so often."""
MAX_PROCESSES = 128
SEEING_NOTHING = frozenset({"black", "frozen"})
"""States of a camera whose pictures come, and show nothing."""


class Behaviour:
    """The store's core. `begin_s` is when watching begins, `token` draws random visitor ids.

    Inputs take records as they come, in any order; each answers with the facts that time has settled, and
    so does `advance(time_s)`, to be called every tenth of a second or so whether or not records come. The
    newest time of a record or of `advance` is "now". `finish` tells what is still open.
    """

    def __init__(
        self,
        plan: FloorPlan,
        begin_s: float,
        token: Token,
        *,
        window_s: float = DEFAULT_WINDOW_S,
        matching: MatchSettings | None = None,
        appearance: Appearance | None = None,
    ) -> None:
        self.plan = plan
        self._now_s = self._turned_s = begin_s
        intervals = plan.intervals
        self._coverage = CoverageMeter(plan.cameras, begin_s, _kept_s(plan), plan.analysis_fps)
        self._window: ReorderWindow[PersonsSeen | FramesMissed] = ReorderWindow(window_s)
        self._people = GlobalTracks(plan.area_m2, appearance, plan.entrances)
        self._entrances = [EntranceCounter(each, self._coverage) for each in plan.entrances]
        self._footfall = FootfallBook(plan.entrances, intervals.footfall_s, begin_s, self._coverage)
        self._zones = ZoneKeeper(plan.zones, self._coverage)
        self._flow = FlowCounter(intervals.flow_s, begin_s, self._coverage)
        self._heatmap = HeatmapBook(plan, begin_s, self._coverage)
        self._occupancy = OccupancyBook(plan, begin_s, self._coverage)
        self._paths = RecentPaths()
        self._ids = VisitorIds(token, plan.timezone, plan.visitor_hours)
        self._visits = VisitBook(self._ids)
        self._interactions = Interactions(plan, self._paths, self._ids, matching)
        self._rooms = TryOnBook(plan, self._paths, self._ids)
        self._health: dict[str, ProcessHealth] = {}
        self._blind: dict[str, Health] = {}
        self._midnight_s = next_midnight_s(begin_s, plan.timezone)

    def apply_plan(self, plan: FloorPlan) -> list[Fact]:
        """Go on by another plan of the same floor and time zone: people, their ids and counts stay.

        What changed begins anew: an interval is cut and reported, a stay in a zone that is not the same any
        more ends, and who is on the floor already did not come through a line that was not there.
        """
        settled_s = self._now_s - self._window.window_s - SETTLING_S
        facts = self._records(self._window.release(self._now_s))
        self.plan = plan
        self._coverage.apply_plan(plan.cameras, self._now_s, _kept_s(plan), plan.analysis_fps)
        left = self._zones.apply_plan(plan.zones)
        self._flow.observe(left)
        facts += self._dwells(left, partial=True)
        counters = {counter.entrance: counter for counter in self._entrances}
        here = self._paths.persons()
        self._entrances = [
            counters.get(each) or EntranceCounter(each, self._coverage, here) for each in plan.entrances
        ]
        facts += self._footfall.apply_plan(plan.entrances, plan.intervals.footfall_s, settled_s)
        facts += self._flow.apply_plan({zone.name for zone in plan.zones}, plan.intervals.flow_s, settled_s)
        facts += self._heatmap.apply_plan(plan, self._now_s)
        facts += self._occupancy.apply_plan(plan, self._now_s)
        self._interactions.plan = self._rooms.plan = plan
        self._people.apply_plan(plan.area_m2, plan.entrances)
        self._ids.keep_hours = plan.visitor_hours
        return facts

    def persons(self, seen: PersonsSeen) -> list[Fact]:
        """The persons of one analysed frame."""
        self._window.push(seen.time_s, seen)
        return self._turn(seen.time_s)

    def missed(self, missed: FramesMissed) -> list[Fact]:
        """A span in which a camera saw nothing."""
        self._window.push(missed.end_s, missed)
        return self._turn(missed.end_s)

    def flip(self, flip: TagFlip) -> list[Fact]:
        """A tag was turned over; its interaction follows seconds later."""
        return [self._interactions.add(flip, self._now_s)]

    def presence(self, presence: TagPresence) -> list[Fact]:
        """A tag is read, or read no more."""
        return list(self._rooms.observe(presence))

    def health(self, health: Health) -> list[Fact]:
        """A process's health: reported at once when its state changes, else at the health interval."""
        fact = ProcessHealth(
            key=f"health:{health.process}:{round(health.time_s * 1000)}",
            time_s=health.time_s,
            process=health.process,
            state=str(health.state),
            progress_s=health.progress_s,
            detail=health.detail,
            values=dict(health.values),
            drops=dict(health.drops),
        )
        found = self._blindness(health)
        reported = self._health.get(health.process)
        if reported is not None and reported.state == fact.state:
            if fact.time_s - reported.time_s < self.plan.intervals.health_s:
                return found
        elif reported is None and len(self._health) >= MAX_PROCESSES:
            del self._health[next(iter(self._health))]
        self._health[health.process] = fact
        return [*found, fact]

    def _blindness(self, health: Health) -> list[Fact]:
        """A camera that shows nothing is blind from one word of it to the next, however many frames come."""
        kind, _, camera = health.process.partition(":")
        if kind != "camera" or camera not in self.plan.cameras:
            return []
        before = self._blind.pop(camera, None)
        if health.state in SEEING_NOTHING:
            self._blind[camera] = health
        if before is None:
            return []
        return self.missed(FramesMissed(camera, before.time_s, health.time_s, before.state))

    def advance(self, time_s: float) -> list[Fact]:
        """What is settled at `time_s`."""
        self._now_s = self._turned_s = max(self._now_s, time_s)
        facts = self._records(self._window.release(self._now_s))
        reached_s = self._now_s - self._window.window_s
        facts += self._roll_day(reached_s)
        facts += self._observe_points(self._people.advance(reached_s))
        facts += self._joined(self._people.joinings())
        facts += self._lost(reached_s)
        facts += self._interactions.advance(self._now_s)
        facts += self._rooms.advance(self._now_s)
        self._paths.forget(self._now_s)
        return facts + self._closed(reached_s - SETTLING_S)

    def finish(self, time_s: float) -> list[Fact]:
        """Everything still open, cut at `time_s`: nothing is lost when watching stops."""
        self._now_s = max(self._now_s, time_s)
        facts = self._records(self._window.drain())
        facts += self._observe_points(self._people.drain(self._now_s))
        facts += self._lost(self._now_s, REACH_S)
        facts += self._dwells(self._zones.cut(self._now_s), partial=True)
        facts += self._interactions.drain()
        facts += self._rooms.cut()
        facts += self._footfall.cut(self._now_s)
        facts += self._flow.cut(self._now_s)
        facts += self._occupancy.cut(self._now_s)
        return facts + list(self._heatmap.cut(self._now_s))

    def on_floor(self) -> tuple[OnFloor, ...]:
        """Everybody who is on the floor now."""
        return tuple(
            OnFloor(self._ids.of(person, here.time_s), (here.x_m, here.y_m))
            for person, here in self._paths.present(self._now_s)
        )

    def visitor_of(self, camera: str, track: int) -> str:
        """Whom a camera's track is of; empty while that is not decided."""
        person = self._people.person_of((camera, track))
        return "" if person is None else self._ids.of(person, self._now_s)

    def counts(self) -> dict[str, int]:
        """What the core has counted about itself: late records, identities, limits reached."""
        parts = (self._window.counts, self._people.counts, self._interactions.counts, self._footfall.counts)
        return {name: count for part in parts for name, count in part.items()}

    def _turn(self, time_s: float) -> list[Fact]:
        self._now_s = max(self._now_s, time_s)
        return self.advance(self._now_s) if self._now_s >= self._turned_s + TURN_S else []

    def _records(self, released: list[tuple[float, PersonsSeen | FramesMissed]]) -> list[Fact]:
        facts: list[Fact] = []
        points: list[TrackPoint] = []
        for record_s, record in released:
            if record_s >= self._midnight_s:
                facts += self._observe_points(points) + self._roll_day(record_s)
                points = []
            if isinstance(record, FramesMissed):
                self._coverage.missed(record.camera, record.start_s, record.end_s)
            else:
                self._coverage.frame(record.camera, record_s)
                points += self._people.observe(record.camera, record_s, record.persons, record.ended)
                id_switches, partings = self._people.id_switches(), self._people.partings()
                joinings = self._people.joinings()
                if id_switches or partings or joinings:
                    facts += self._observe_points(points)
                    facts += self._switched(id_switches) + self._parted(partings) + self._joined(joinings)
                    points = []
        return facts + self._observe_points(points)

    def _switched(self, id_switches: list[IdSwitch]) -> list[Fact]:
        return [
            fact
            for switch in id_switches
            for counter in self._entrances
            for fact in self._crossed(counter.undo_id_switch(*switch))
        ]

    def _parted(self, partings: list[Parting]) -> list[Fact]:
        return [
            fact
            for parting in partings
            for counter in self._entrances
            for fact in self._crossed(counter.undo_parting(*parting))
        ]

    def _joined(self, joinings: list[Joining]) -> list[Fact]:
        facts: list[Fact] = []
        for joining in joinings:
            self._zones.join(*joining)
            self._paths.join(*joining)
            for counter in self._entrances:
                facts += self._crossed(counter.join(*joining))
        return facts

    def _observe_points(self, points: list[TrackPoint]) -> list[Fact]:
        if not points:
            return []
        self._paths.observe(points)
        self._heatmap.observe(points)
        self._occupancy.observe(points)
        crossings = chain.from_iterable(counter.observe(points) for counter in self._entrances)
        return [*self._crossed(crossings), *self._moved(self._zones.observe(points))]

    def _lost(self, time_s: float, timeout_s: float = LOST_S) -> list[Fact]:
        """What follows from persons being out of sight."""
        crossings = chain.from_iterable(counter.advance(time_s, timeout_s) for counter in self._entrances)
        return [*self._crossed(crossings), *self._moved(self._zones.advance(time_s))]

    def _crossed(self, crossings: Iterable[Crossing]) -> list[Fact]:
        facts: list[Fact] = []
        for crossing in crossings:
            if not crossing.inferred:
                self._people.went(crossing.person, crossing.direction == "out" and not crossing.retracted)
            self._footfall.add(crossing)
            facts.append(self._visits.add(crossing))
            facts += self._visits.corrected()
        return facts

    def _moved(self, changes: list[ZoneChange]) -> list[Fact]:
        self._flow.observe(changes)
        return self._dwells(changes)

    def _dwells(self, changes: list[ZoneChange], partial: bool = False) -> list[Fact]:
        return [
            self._dwell(change, change.leave_s, partial)
            for change in changes
            if change.leave_s is not None and change.leave_s - change.enter_s >= LEAST_DWELL_S
        ]

    def _dwell(self, change: ZoneChange, leave_s: float, partial: bool) -> Dwell:
        visitor = self._ids.of(change.person, change.enter_s)
        return Dwell(
            key=f"dwell:{visitor}:{change.zone}:{round(change.enter_s * 1000)}",
            time_s=leave_s,
            visitor=visitor,
            zone=change.zone,
            enter_s=change.enter_s,
            leave_s=leave_s,
            dwell_s=round(leave_s - change.enter_s, 2),
            partial=partial,
            quality=self._dwell_quality(change),
        )

    def _dwell_quality(self, change: ZoneChange) -> Quality:
        """How the stay was seen by the cameras that saw it, as far back as is remembered.

        Where none of them saw what became of the visitor, the length is not known: degraded at least.
        """
        begin_s = max(change.enter_s, self._coverage.remembered_since(self._now_s))
        end_s = max(change.judged_s, begin_s)
        found = quality_of(self._coverage.of(begin_s, end_s, change.cameras), end_s - begin_s)
        lost_s = end_s - (change.leave_s or end_s)
        if found == "good" and lost_s > LEAST_DWELL_S:
            ending = self._coverage.of(end_s - lost_s, end_s, change.cameras)
            return "degraded" if quality_of(ending, lost_s) == "blind" else "good"
        return found

    def _roll_day(self, time_s: float) -> list[Fact]:
        """At local midnight every stay is cut, so that no fact spans two ids of one visitor."""
        facts: list[Fact] = []
        while time_s >= self._midnight_s:
            facts += self._dwells(self._zones.cut(self._midnight_s), partial=True)
            self._ids.forget(time_s)
            self._midnight_s = next_midnight_s(self._midnight_s, self.plan.timezone)
        return facts

    def _closed(self, settled_s: float) -> list[Fact]:
        return [
            *self._footfall.close(settled_s),
            *self._flow.close(settled_s),
            *self._heatmap.close(settled_s),
            *self._occupancy.close(settled_s),
        ]


def _kept_s(plan: FloorPlan) -> float:
    """How long coverage is remembered: until the longest interval is reported."""
    every = plan.intervals
    longest_s = max(every.footfall_s, every.heatmap_s, every.flow_s, every.occupancy_s)
    return longest_s + SETTLING_S + 60
