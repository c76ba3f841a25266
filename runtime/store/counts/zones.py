"""Who is in which zone, since when: entering and leaving with hysteresis, dwell by person.

A person is in a zone once they stood inside for `ENTER_S`, counted from the first moment inside. They left
when they are more than `LEAVE_M` outside or outside at all for `LEAVE_S`, counted from the last moment
inside; someone out of sight is thought to be still there for `UNSEEN_S`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.store.counts.coverage import CoverageMeter
from runtime.store.floorplan import FloorZone
from runtime.store.people.identity import TrackPoint

ENTER_S = 0.5
LEAVE_S = 1.5
LEAVE_M = 0.5
UNSEEN_S = 8.0
MAX_STAYS = 4096


@dataclass
class ZoneStay:
    """One person in one zone. `entered` once it has lasted long enough to be one."""

    person: int
    zone: str
    camera: str
    cameras: set[str]
    enter_s: float
    last_inside_s: float
    last_seen_s: float
    entered: bool = False


@dataclass(frozen=True)
class ZoneChange:
    """A person entered a zone, or left it at `leave_s`, as `cameras` saw.

    Until `judged_s` somebody looked whether they were still there.
    """

    person: int
    zone: str
    enter_s: float
    leave_s: float | None = None
    judged_s: float = 0.0
    cameras: tuple[str, ...] = ()


class ZoneKeeper:
    """Stays of all persons in all zones; at `MAX_STAYS` the oldest is closed early."""

    def __init__(self, zones: tuple[FloorZone, ...], coverage: CoverageMeter) -> None:
        self._zones = zones
        self._coverage = coverage
        self._stays: dict[tuple[int, str], ZoneStay] = {}

    def observe(self, points: Sequence[TrackPoint]) -> list[ZoneChange]:
        """Entries and exits that these points show; only a person's leading source is asked."""
        leading = [point for point in points if point.lead]
        if not leading:
            return []
        changes: list[ZoneChange] = []
        for zone in self._zones:
            for point in leading:
                if zone.holds(point.position.x_m, point.position.y_m):
                    changes += self._inside(point, zone)
                elif (point.person, zone.name) in self._stays:
                    away_m = zone.away_m(point.position.x_m, point.position.y_m)
                    changes += self._outside(point, zone, away_m)
        return changes

    def advance(self, time_s: float) -> list[ZoneChange]:
        """Exits of persons who have been out of sight too long."""
        return [
            change
            for stay in list(self._stays.values())
            if self._coverage.watched_until(stay.camera, time_s) - stay.last_seen_s > UNSEEN_S
            for change in self._leave(stay, stay.last_seen_s + UNSEEN_S)
        ]

    def apply_plan(self, zones: tuple[FloorZone, ...]) -> list[ZoneChange]:
        """Go on with these zones: whoever is in one that changed or is no more leaves it where it was."""
        same = {zone.name for zone in zones if zone in self._zones}
        self._zones = zones
        gone = [stay for stay in self._stays.values() if stay.zone not in same]
        return [change for stay in gone for change in self._leave(stay)]

    def join(self, person: int, into: int) -> None:
        """Two persons turned out to be one: a stay that both had in a zone is one, from the first on."""
        for zone in [zone for number, zone in self._stays if number == person]:
            stay = self._stays.pop((person, zone))
            kept = self._stays.get((into, zone))
            if kept is None:
                stay.person = into
                self._stays[into, zone] = stay
                continue
            kept.enter_s = min(kept.enter_s, stay.enter_s)
            kept.entered |= stay.entered
            kept.cameras |= stay.cameras

    def present(self, zone: str) -> list[int]:
        """The persons who are in a zone now."""
        return [stay.person for stay in self._stays.values() if stay.zone == zone and stay.entered]

    def cut(self, time_s: float) -> list[ZoneChange]:
        """Every open stay, ended at `time_s`; those still inside begin anew from there."""
        changes: list[ZoneChange] = []
        for stay in list(self._stays.values()):
            if stay.entered:
                changes.append(_left(stay, min(time_s, stay.last_seen_s), time_s))
            stay.enter_s = max(stay.enter_s, time_s)
        return changes

    def _inside(self, point: TrackPoint, zone: FloorZone) -> list[ZoneChange]:
        time_s = point.position.time_s
        changes: list[ZoneChange] = []
        stay = self._stays.get((point.person, zone.name))
        if stay is None:
            if len(self._stays) >= MAX_STAYS:
                changes += self._leave(next(iter(self._stays.values())))
            stay = ZoneStay(point.person, zone.name, point.source[0], set(), time_s, time_s, time_s)
            self._stays[point.person, zone.name] = stay
        stay.camera = point.source[0]
        stay.cameras.add(stay.camera)
        stay.last_inside_s = stay.last_seen_s = time_s
        if not stay.entered and time_s - stay.enter_s >= ENTER_S:
            stay.entered = True
            changes.append(ZoneChange(point.person, zone.name, stay.enter_s))
        return changes

    def _outside(self, point: TrackPoint, zone: FloorZone, away_m: float) -> list[ZoneChange]:
        stay = self._stays[point.person, zone.name]
        stay.camera = point.source[0]
        stay.last_seen_s = point.position.time_s
        if away_m > LEAVE_M or stay.last_seen_s - stay.last_inside_s > LEAVE_S or not stay.entered:
            return self._leave(stay)
        return []

    def _leave(self, stay: ZoneStay, judged_s: float | None = None) -> list[ZoneChange]:
        del self._stays[stay.person, stay.zone]
        if not stay.entered:
            return []
        return [_left(stay, stay.last_inside_s, stay.last_seen_s if judged_s is None else judged_s)]


def _left(stay: ZoneStay, leave_s: float, judged_s: float) -> ZoneChange:
    cameras = tuple(sorted(stay.cameras))
    return ZoneChange(stay.person, stay.zone, stay.enter_s, leave_s, judged_s, cameras)
