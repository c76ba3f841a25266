"""Where a person is, looks, and sets their feet at every moment, from the acts of the scene.

Feet are planted: a foot stands still on the floor until it swings to its next place, so nobody slides. A
walk of n steps of length L has the feet set down at L, 2 L, ... along the way and swings a foot while the
body goes 0.8 L; turning on the spot sets one foot after the other.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.scene.spec import Browse, Point, Scene, ScenePerson, Stand, Turn, Walk
from engines.scene.ways import Pace, SmoothPath, smooth, turned

Floats = NDArray[np.float64]
STEP_M = 0.62
FOOT_ASIDE_M = 0.085
TURN_RADPS = 2.6
SWING = 0.4
"""Share of a step, before and after its middle, in which the foot is in the air."""
GRASP_S = 0.7
"""From the beginning of a turn until the hand has the garment, and from its release to the end."""


@dataclass(frozen=True)
class Foot:
    """Where the sole is: floor point, direction, how high and how far tipped (radians, heel up above 0)."""

    xy_m: Floats
    heading_rad: float
    lift_m: float = 0.0
    pitch_rad: float = 0.0


@dataclass(frozen=True)
class Standing:
    """A person at a moment. `act` is what is done, from `act_start_s` to `act_end_s`; None while walking or
    turning on the spot. `speed_mps` is along the floor."""

    xy_m: Floats
    heading_rad: float
    left: Foot
    right: Foot
    speed_mps: float
    act: Stand | Browse | Turn | None
    act_start_s: float
    act_end_s: float


def neutral(xy_m: Floats, heading_rad: float, side: int) -> Foot:
    """The foot of somebody who stands there; side is 1 for left, -1 for right."""
    aside = np.array([-math.sin(heading_rad), math.cos(heading_rad)]) * FOOT_ASIDE_M * side
    return Foot(np.asarray(xy_m) + aside, heading_rad + 0.12 * side)


@dataclass(frozen=True)
class _Stay:
    start_s: float
    end_s: float
    xy_m: Floats
    heading_rad: float
    act: Stand | Browse | Turn | None

    def at(self, time_s: float) -> Standing:
        left, right = (neutral(self.xy_m, self.heading_rad, side) for side in (1, -1))
        return Standing(self.xy_m, self.heading_rad, left, right, 0.0, self.act, self.start_s, self.end_s)


@dataclass(frozen=True)
class _Spin:
    start_s: float
    end_s: float
    xy_m: Floats
    from_rad: float
    by_rad: float

    def at(self, time_s: float) -> Standing:
        share = (time_s - self.start_s) / max(self.end_s - self.start_s, 1e-9)
        heading = self.from_rad + self.by_rad * smooth(share)
        first = 1 if self.by_rad > 0 else -1
        feet = {}
        for side, part in ((first, share * 2), (-first, share * 2 - 1)):
            before = neutral(self.xy_m, self.from_rad, side)
            after = neutral(self.xy_m, self.from_rad + self.by_rad, side)
            feet[side] = _swung(before, after, part, 0.04)
        return Standing(self.xy_m, heading, feet[1], feet[-1], 0.0, None, self.start_s, self.end_s)


@dataclass(frozen=True)
class _Going:
    start_s: float
    end_s: float
    way: SmoothPath
    pace: Pace
    from_rad: float
    first: int

    @property
    def steps(self) -> int:
        return max(1, round(self.way.length_m / STEP_M))

    def at(self, time_s: float) -> Standing:
        gone = self.pace.gone_m(time_s - self.start_s)
        speed = (self.pace.gone_m(time_s - self.start_s + 0.05) - gone) / 0.05
        feet = {side: self._foot(side, gone) for side in (1, -1)}
        heading = self._heading(gone)
        return Standing(self.way.at(gone), heading, feet[1], feet[-1], speed, None, self.start_s, self.end_s)

    def _heading(self, along_m: float) -> float:
        """Along the way; over the first 0.4 m it takes leave of where the person looked."""
        ahead = self.way.heading_rad(along_m)
        return self.from_rad + turned(self.from_rad, ahead) * smooth((along_m + 0.02) / 0.4)

    def _placed(self, footfall: int, side: int) -> Foot:
        """Footfall 1 .. steps along the way; 0 and below where the person stood, above the last its end."""
        step_m = self.way.length_m / self.steps
        along_m = min(max(footfall, 0), self.steps) * step_m
        return neutral(self.way.at(along_m), self._heading(along_m), side)

    def _foot(self, side: int, gone_m: float) -> Foot:
        step_m = self.way.length_m / self.steps
        own = [fall for fall in range(1, self.steps + 2) if (fall % 2 == 1) == (side == self.first)]
        place = self._placed(0, side)
        for fall in own:
            begin = max(0.0, (fall - 1 - SWING) * step_m)
            end = min(self.way.length_m, (fall - 1 + SWING) * step_m)
            if gone_m <= begin:
                heel = smooth((gone_m - begin + 0.3 * step_m) / (0.3 * step_m)) if fall > own[0] else 0.0
                return Foot(place.xy_m, place.heading_rad, 0.0, 0.45 * heel)
            after = self._placed(fall, side)
            if gone_m < end:
                return _swung(place, after, (gone_m - begin) / (end - begin), 0.055, fall > own[0])
            place = after
            flat = smooth((gone_m - end) / (0.15 * step_m))
            if fall <= self.steps and flat < 1 and gone_m < self.way.length_m:
                place = Foot(place.xy_m, place.heading_rad, 0.0, -0.2 * (1 - flat))
        return Foot(place.xy_m, place.heading_rad)


def _swung(before: Foot, after: Foot, share: float, height_m: float, rolls: bool = False) -> Foot:
    share = min(max(share, 0.0), 1.0)
    way = smooth(share)
    heading = before.heading_rad + turned(before.heading_rad, after.heading_rad) * way
    pitch = (0.45 * (1 - smooth(share * 1.6)) - 0.2 * smooth(share * 2 - 1)) if rolls else 0.0
    return Foot(
        before.xy_m + (after.xy_m - before.xy_m) * way, heading, height_m * math.sin(math.pi * share), pitch
    )


class Trajectory:
    """One person's whole time in the scene: there from `start_s` to `end_s`."""

    def __init__(self, scene: Scene, person: ScenePerson) -> None:
        self.person = person
        self.start_s = person.enters_s
        self._parts: list[_Stay | _Spin | _Going] = []
        self._time_s = person.enters_s
        self._xy = np.asarray(person.start, np.float64)
        self._heading = self._first_heading(person)
        self._foot = 1
        for act in person.acts:
            if isinstance(act, Walk):
                self._go(act)
            else:
                self._stay(scene, act)
        self.end_s = self._time_s
        self._starts = [part.start_s for part in self._parts]

    def at(self, time_s: float) -> Standing | None:
        """The person at a moment; None before they come and after they went."""
        if not self._parts or not self.start_s <= time_s <= self.end_s:
            return None
        part = self._parts[max(0, bisect_right(self._starts, time_s) - 1)]
        return part.at(min(time_s, part.end_s))

    def acts(self) -> list[tuple[float, float, Stand | Browse | Turn]]:
        """What is done standing: start, end, act."""
        return [
            (part.start_s, part.end_s, part.act)
            for part in self._parts
            if isinstance(part, _Stay) and part.act is not None
        ]

    def _first_heading(self, person: ScenePerson) -> float:
        aim = person.faces
        if aim is None and isinstance(person.acts[0], Walk):
            aim = person.acts[0].to[0]
        return 0.0 if aim is None else _towards(self._xy, aim, 0.0)

    def _go(self, act: Walk) -> None:
        way = SmoothPath.through([tuple(self._xy.tolist()), *act.to])
        if len(way.points_m) < 2 or way.length_m < 0.05:
            return
        ahead = way.heading_rad(0.0)
        if abs(turned(self._heading, ahead)) > math.radians(50):
            self._spin(ahead)
        pace = Pace(way.length_m, act.speed_mps)
        going = _Going(self._time_s, self._time_s + pace.seconds, way, pace, self._heading, self._foot)
        self._parts.append(going)
        self._time_s = going.end_s
        self._foot = -self._foot
        self._xy = way.points_m[-1]
        self._heading += turned(self._heading, going._heading(way.length_m))

    def _stay(self, scene: Scene, act: Stand | Browse | Turn) -> None:
        end_s = self._time_s + act.seconds
        aim = act.faces if isinstance(act, Stand) else reach_point(scene, act)[:2]
        if aim is not None:
            ahead = _towards(self._xy, aim, self._heading)
            if abs(turned(self._heading, ahead)) > math.radians(4):
                self._spin(ahead)
                end_s = max(end_s, self._time_s + act.seconds) if isinstance(act, Turn) else end_s
        end_s = max(end_s, self._time_s)
        self._parts.append(_Stay(self._time_s, end_s, self._xy, self._heading, act))
        self._time_s = end_s

    def _spin(self, to_rad: float) -> None:
        by = turned(self._heading, to_rad)
        end_s = self._time_s + max(0.5, abs(by) / TURN_RADPS)
        self._parts.append(_Spin(self._time_s, end_s, self._xy, self._heading, by))
        self._time_s, self._heading = end_s, self._heading + by


def _towards(xy_m: Floats, aim: Point | tuple[float, ...], otherwise: float) -> float:
    dx, dy = aim[0] - xy_m[0], aim[1] - xy_m[1]
    return otherwise if math.hypot(dx, dy) < 0.05 else math.atan2(dy, dx)


def garment_point(scene: Scene, rack: str, number: int) -> tuple[float, float, float]:
    """Where garment `number` (from 1) of a rack is taken hold of: x, y, z in metres."""
    it = scene.rack(rack)
    share = (number - 0.5) / max(it.garments.count, 1) - 0.5
    along = share * (it.length_m - 0.1)
    heading = math.radians(it.heading_deg)
    z_m = it.height_m - (0.12 if it.kind == "rail" else -0.06)
    return it.at[0] + along * math.cos(heading), it.at[1] + along * math.sin(heading), z_m


def reach_point(scene: Scene, act: Browse | Turn) -> tuple[float, float, float]:
    """What a hand reaches for: the garment, or the middle of the rack."""
    if isinstance(act, Turn):
        return garment_point(scene, act.rack, act.garment)
    rack = scene.rack(act.rack)
    return rack.at[0], rack.at[1], rack.height_m - (0.15 if rack.kind == "rail" else -0.06)
