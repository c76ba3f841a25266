"""Who turns over which garment when.

`Schedule` looks at where people stand and decides, seeded, the flips and pushes of one period after another,
so an endless looped scenario has endless, different, reproducible flips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.simulator.motion import Motion, make_flip, make_push
from rfid_reader.simulator.people.crowd import Crowd
from rfid_reader.simulator.scenarios.files import Scenario

STEP_S = 0.1
PUSH_REACH = 3


@dataclass(frozen=True)
class TrueFlip:
    """A flip that happens, in scenario time."""

    epc: str
    rack: str
    person: str | None
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Rack:
    """A rack as the schedule sees it: its tags' rows in order along the rail, and the rail's direction."""

    name: str
    at: NDArray[np.float64]
    along: NDArray[np.float64]
    half_length_m: float
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class RackVisit:
    """A person within reach of a rack, from start to end."""

    person: int
    rack: int
    start_s: float
    end_s: float


def distance_to_rail_m(rack: Rack, floor_xy_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of floor points (..., 2) from the rack's rail."""
    offset = floor_xy_m - rack.at
    along = np.clip(offset @ rack.along[:2], -rack.half_length_m, rack.half_length_m)
    return np.asarray(np.linalg.norm(offset - along[..., None] * rack.along[:2], axis=-1))


class Schedule:
    """Flips and pushes of a scenario, made one period at a time."""

    def __init__(self, scenario: Scenario, racks: list[Rack], epcs: list[str], crowd: Crowd) -> None:
        self._scenario = scenario
        self._racks = racks
        self._epcs = epcs
        self._crowd = crowd
        looped = math.isfinite(crowd.period_s)
        self.period_s = crowd.period_s if looped else (scenario.duration_s or crowd.last_s or math.inf)
        self._looped = looped
        self._visits = self._find_visits() if math.isfinite(self.period_s) else []

    def _find_visits(self) -> list[RackVisit]:
        auto = self._scenario.flips.auto
        reach_m = auto.reach_m if auto else 1.3
        times = np.arange(0.0, self.period_s, STEP_S)
        people_xy = self._crowd.positions(times)
        visits = []
        for number, rack in enumerate(self._racks):
            apart_m = np.nan_to_num(distance_to_rail_m(rack, people_xy), nan=np.inf)
            for person in range(len(people_xy)):
                near = apart_m[person] <= reach_m
                if auto and auto.alone:
                    others = np.delete(apart_m, person, axis=0)
                    near &= ~(others <= reach_m + auto.alone_margin_m).any(axis=0)
                edges = np.flatnonzero(np.diff(np.concatenate([[0], near.astype(np.int8), [0]])))
                visits += [
                    RackVisit(person, number, float(times[a]), float(times[b - 1]))
                    for a, b in zip(edges[::2], edges[1::2], strict=True)
                ]
        return sorted(visits, key=lambda visit: (visit.start_s, visit.rack, visit.person))

    def period(self, number: int) -> tuple[list[Motion], list[TrueFlip]]:
        """Motions and true flips of period `number` (from 0), in scenario time."""
        if number > 0 and not self._looped:
            return [], []
        rng = np.random.default_rng([self._scenario.seed, 77, number])
        shift_s = number * self.period_s if number else 0.0
        motions: list[Motion] = []
        flips: list[TrueFlip] = []
        self._add_given(shift_s, motions, flips, rng)
        busy_until: dict[tuple[str, int], float] = {}
        recent: list[float] = []
        auto = self._scenario.flips.auto
        for visit in self._visits:
            stay_s = visit.end_s - visit.start_s
            wanted = auto is not None and stay_s >= auto.shortest_s and rng.random() < auto.chance
            start_s = visit.start_s
            while auto is not None and wanted:
                duration_s = min(rng.uniform(auto.shortest_s, auto.longest_s), visit.end_s - start_s)
                slack_s = max(visit.end_s - start_s - duration_s, 0.0)
                start_s += rng.uniform(0, min(slack_s, 3.0))
                free_s = max(
                    busy_until.get(("person", visit.person), -1.0), busy_until.get(("rack", visit.rack), -1.0)
                )
                recent = [time_s for time_s in recent if time_s > start_s - 60]
                if duration_s < auto.shortest_s or len(recent) >= auto.highest_per_minute:
                    break
                if start_s > free_s:
                    recent.append(start_s)
                    self._add_flip(visit, start_s, duration_s, shift_s, motions, flips, rng)
                    busy_until["person", visit.person] = busy_until["rack", visit.rack] = (
                        start_s + duration_s + 1.5
                    )
                start_s += duration_s + rng.exponential(8.0)
                wanted = start_s + auto.shortest_s < visit.end_s and rng.random() < auto.chance
            if not wanted and stay_s > 0.6 and rng.random() < self._scenario.browsing.chance:
                self._add_browse(visit, shift_s, motions, rng)
        return motions, flips

    def _add_flip(
        self,
        visit: RackVisit,
        start_s: float,
        duration_s: float,
        shift_s: float,
        motions: list[Motion],
        flips: list[TrueFlip],
        rng: np.random.Generator,
    ) -> None:
        rack = self._racks[visit.rack]
        if not len(rack.rows):
            return
        person_xy = self._crowd.positions(np.array([start_s]))[visit.person, 0]
        along_m = np.linspace(-rack.half_length_m, rack.half_length_m, len(rack.rows))
        tags_xy = rack.at + along_m[:, None] * rack.along[:2]
        nearness = np.exp(-2.0 * np.linalg.norm(tags_xy - person_xy, axis=1))
        place = int(rng.choice(len(rack.rows), p=nearness / nearness.sum()))
        begin_s, end_s = start_s + shift_s, start_s + duration_s + shift_s
        self._move(rack, place, begin_s, end_s, person_xy, motions, rng)
        person = self._crowd.people[visit.person]
        flips.append(TrueFlip(self._epcs[rack.rows[place]], rack.name, person, begin_s, end_s))

    def _move(
        self,
        rack: Rack,
        place: int,
        start_s: float,
        end_s: float,
        person_xy: NDArray[np.float64],
        motions: list[Motion],
        rng: np.random.Generator,
    ) -> None:
        towards = np.append(person_xy - rack.at, 0.0)
        outward = np.array([-rack.along[1], rack.along[0], 0.0])
        if not np.isnan(towards).any() and towards @ outward < 0:
            outward = -outward
        auto = self._scenario.flips.auto
        vigour = auto.vigour if auto else 1.0
        motions.append(make_flip(int(rack.rows[place]), start_s, end_s, outward, rng, vigour))
        for side in (-1, 1):
            for far in range(1, PUSH_REACH + 1):
                if not 0 <= place + side * far < len(rack.rows) or rng.random() > 1.15 - 0.4 * far:
                    continue
                tag = int(rack.rows[place + side * far])
                for at_s in (start_s, end_s - 0.4):
                    motions.append(make_push(tag, at_s + rng.uniform(0, 0.2), rack.along, 1 / far, rng))

    def _add_browse(
        self, visit: RackVisit, shift_s: float, motions: list[Motion], rng: np.random.Generator
    ) -> None:
        rack = self._racks[visit.rack]
        if not len(rack.rows):
            return
        first = int(rng.integers(len(rack.rows)))
        start_s = visit.start_s + shift_s + rng.uniform(0, max(visit.end_s - visit.start_s - 0.5, 0.1))
        for step, place in enumerate(range(first, min(first + int(rng.integers(2, 6)), len(rack.rows)))):
            motions.append(
                make_push(int(rack.rows[place]), start_s + 0.25 * step, rack.along, 0.9, rng, True)
            )

    def _add_given(
        self, shift_s: float, motions: list[Motion], flips: list[TrueFlip], rng: np.random.Generator
    ) -> None:
        by_name = {rack.name: rack for rack in self._racks}
        people = self._crowd.people
        for given in self._scenario.flips.given:
            rack = by_name[given.rack]
            person_xy = np.full(2, np.nan)
            if given.person in people:
                person_xy = self._crowd.positions(np.array([given.start_s]))[people.index(given.person), 0]
            start_s, end_s = given.start_s + shift_s, given.end_s + shift_s
            self._move(rack, given.tag - 1, start_s, end_s, person_xy, motions, rng)
            epc = self._epcs[rack.rows[given.tag - 1]]
            flips.append(TrueFlip(epc, given.rack, given.person, start_s, end_s))
