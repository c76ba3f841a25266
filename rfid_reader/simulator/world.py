"""A simulated store in motion: what a reader in it hears from one time to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfid_reader.reads import TWO_PI, ReadTable
from rfid_reader.simulator.motion import FLIP, PUSH, Motion, Motions
from rfid_reader.simulator.people.arms import Arms
from rfid_reader.simulator.people.browsers import random_browsers
from rfid_reader.simulator.people.crowd import Crowd, CrowdPath, load_tracks
from rfid_reader.simulator.people.handling import Rack, Schedule, TrueFlip
from rfid_reader.simulator.radio.channel import DOWN, LinkBudget, Scatterers, link, measure, one_way_gain
from rfid_reader.simulator.radio.inventory import MODES, inventory_round
from rfid_reader.simulator.scenarios.files import ScenarioFile

HIGHEST_POWER_DBM = 32.5
NEVER_HEARD_DB = -6.0
SINGLE_TARGET_QUIET_S = {0: 0.0, 1: 2.0, 2: 8.0, 3: 8.0}


@dataclass(frozen=True)
class InventorySetup:
    """How the reader was told to read: antenna ports and their power, RF mode, C1G2 session, and whether each
    tag answers every round (dual target) or keeps quiet for its session's persistence (single target)."""

    power_dbm: dict[int, float]
    mode: int
    session: int = 1
    dual_target: bool = True


def _facing(
    antenna_xyz: NDArray[np.float64], looks_at: tuple[float, float, float] | None
) -> NDArray[np.float64]:
    if looks_at is None:
        return DOWN
    way = np.array(looks_at) - antenna_xyz
    return np.asarray(way / np.linalg.norm(way))


class World:
    """Tags, antennas, people and everything that moves. Ask for reads in rising time."""

    def __init__(self, source: ScenarioFile, seed: int | None = None) -> None:
        scenario = source.scenario
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        rng = np.random.default_rng([self.seed, 1])
        self.plan = scenario.plan()
        self.radio = scenario.radio_model()
        self.epcs: list[str] = []
        self.rack_of: list[int] = []
        self.racks: list[Rack] = []
        places: list[NDArray[np.float64]] = []
        for number, spec in enumerate(scenario.racks):
            rack, rows_xyz = self._place_rack(number, rng)
            self.racks.append(rack)
            places += list(rows_xyz)
            self.epcs += spec.epcs()
            self.rack_of += [number] * len(rack.rows)
        self.tag_xyz = np.array(places).reshape(-1, 3)
        self.antenna_xyz = {spec.port: np.array([*spec.at, spec.height_m]) for spec in scenario.antennas}
        self._facing = {
            spec.port: _facing(self.antenna_xyz[spec.port], spec.looks_at) for spec in scenario.antennas
        }
        self._ports = sorted(self.antenna_xyz)
        count = len(self.epcs)
        self._scatterers = Scatterers.random(len(self._ports), count, rng, scenario.multipath)
        self._garment_loss_db = rng.gamma(4.0, 2.0, count)
        self._tag_phase = rng.uniform(0, TWO_PI, count)
        self._sway_hz = rng.uniform(0.2, 0.7, count)
        self._sway_phase = rng.uniform(0, TWO_PI, count)
        self._channel_phase = rng.uniform(0, TWO_PI, (len(self._ports), len(self.plan.frequencies_hz) + 1))
        self._rest_offset_m = np.zeros((count, 3))
        self._rest_turn = rng.normal(0, 0.25, count)
        self.crowd = self._people(source, rng)
        self._arms = Arms(len(self.crowd.people), np.random.default_rng([self.seed, 3]))
        self._schedule = Schedule(self.scenario, self.racks, self.epcs, self.crowd)
        self._periods = 0
        self._upcoming: list[Motion] = []
        self._moving: list[Motion] = []
        self._motions = Motions([])
        self._flips: list[TrueFlip] = []
        self._rng = np.random.default_rng([self.seed, 2])
        self._in_reach = {port: self._reachable(port) for port in self._ports}
        self._margin_db = {port: np.zeros(count) for port in self._ports}
        self._next_antenna = 0
        self._round_s = 0.0
        self._quiet_until: NDArray[np.float64] = np.zeros(count)

    def _place_rack(self, number: int, rng: np.random.Generator) -> tuple[Rack, NDArray[np.float64]]:
        spec = self.scenario.racks[number]
        heading = math.radians(spec.heading_deg)
        along = np.array([math.cos(heading), math.sin(heading), 0.0])
        count = len(spec.epcs())
        at_m = np.linspace(-spec.length_m / 2, spec.length_m / 2, count)
        middle = np.array([*spec.at, spec.height_m])
        spread = rng.normal(0, [0.02, 0.02, 0.08], (count, 3))
        start = len(self.epcs)
        rack = Rack(spec.name, middle[:2], along, spec.length_m / 2, np.arange(start, start + count))
        return rack, middle + at_m[:, None] * along + spread

    def _people(self, source: ScenarioFile, rng: np.random.Generator) -> Crowd:
        people = source.scenario.people
        tracks: list[CrowdPath] = []
        if people.tracks is not None:
            tracks += load_tracks(source.folder / people.tracks)
        for path in people.paths:
            points = np.array(path.points, np.float64)
            times = np.arange(points[0, 0], points[-1, 0] + 0.1, 0.1)
            xy = np.column_stack([np.interp(times, points[:, 0], points[:, axis]) for axis in (1, 2)])
            tracks.append(CrowdPath(path.person, times, xy))
        loop_s = source.scenario.loop_s
        if people.random:
            walk_s = source.scenario.duration_s or loop_s
            tracks += random_browsers(people.random, self.racks, walk_s, rng)
        return Crowd(tracks, loop_s)

    def _reachable(self, port: int) -> NDArray[np.int64]:
        """Tags that `port` may hear at the radio's highest power when nothing is in the way."""
        every = np.arange(len(self.epcs))
        best = np.full(len(every), -np.inf)
        for time_s in np.arange(len(self.plan.frequencies_hz)) * self.plan.dwell_s:
            empty = self._link(port, every, np.full(len(every), time_s), HIGHEST_POWER_DBM, alone=True)
            best = np.maximum(best, empty.at_tag_dbm)
        return np.flatnonzero(best > self.radio.tag_sensitivity_dbm + NEVER_HEARD_DB)

    def carry(self, tag: int, xyz: tuple[float, float, float]) -> None:
        """Tag number `tag` (of `epcs`) is in somebody's hand, for now at `xyz` metres."""
        self.tag_xyz[tag] = xyz
        for port, tags in self._in_reach.items():
            if tag not in tags:
                self._in_reach[port] = np.sort(np.append(tags, tag))

    def hang(self, tag: int, xyz: tuple[float, float, float]) -> None:
        """Tag number `tag` hangs at `xyz` metres from now on."""
        self.tag_xyz[tag] = xyz
        self._in_reach = {port: self._reachable(port) for port in self._ports}

    def setup(self) -> InventorySetup:
        """Every antenna of the scenario, at its radio's power and its reader's mode."""
        return InventorySetup(dict.fromkeys(self._ports, self.radio.power_dbm), self.scenario.reader.mode)

    def finished_flips(self, until_s: float) -> list[TrueFlip]:
        """True flips that ended by `until_s` and were not handed out yet, in order of their end."""
        self._plan_until(until_s)
        done = sorted((flip for flip in self._flips if flip.end_s <= until_s), key=lambda flip: flip.end_s)
        self._flips = [flip for flip in self._flips if flip.end_s > until_s]
        return done

    def pushes(self, until_s: float) -> list[TrueFlip]:
        """Garments that are shoved but not taken by `until_s`, in the scenario's first period, in order of
        time."""
        motions, _ = self._schedule.period(0)
        return [
            TrueFlip(
                self.epcs[motion.tag],
                self.racks[self.rack_of[motion.tag]].name,
                None,
                motion.start_s,
                motion.end_s,
            )
            for motion in sorted(motions, key=lambda motion: motion.start_s)
            if motion.kind == PUSH and motion.end_s <= until_s
        ]

    def _plan_until(self, time_s: float) -> None:
        while (math.isfinite(self._schedule.period_s) or self._periods == 0) and (
            self._periods == 0 or self._periods * self._schedule.period_s <= time_s
        ):
            motions, flips = self._schedule.period(self._periods)
            self._upcoming = sorted([*self._upcoming, *motions], key=lambda motion: motion.start_s)
            self._flips += flips
            self._periods += 1

    def _advance_motions(self, time_s: float) -> None:
        self._plan_until(time_s)
        settled = [motion for motion in self._moving if motion.settled_s <= time_s]
        starting = bool(self._upcoming) and self._upcoming[0].start_s <= time_s
        if not settled and not starting:
            return
        while self._upcoming and self._upcoming[0].start_s <= time_s:
            self._moving.append(self._upcoming.pop(0))
        for motion in settled:
            self._rest_offset_m[motion.tag] += motion.rest_m
            self._rest_turn[motion.tag] += motion.rest_turn_rad
            if motion.kind == FLIP:
                self._rest_offset_m[motion.tag] *= 0.7
                self._rest_turn[motion.tag] *= 0.7
            self._moving.remove(motion)
        self._motions = Motions(self._moving)

    def _poses(
        self, tags: NDArray[np.int64], time_s: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        sway = self.scenario.sway_m * np.sin(TWO_PI * self._sway_hz[tags] * time_s + self._sway_phase[tags])
        xyz = self.tag_xyz[tags] + self._rest_offset_m[tags]
        xyz[:, :2] += sway[:, None]
        turn = self._rest_turn[tags].copy()
        loss_db = self._garment_loss_db[tags].copy()
        rows, which = np.nonzero(tags[:, None] == self._motions.tag)
        if len(rows):
            moved = self._motions.poses(which, time_s[rows])
            np.add.at(xyz, rows, moved.offset_m)
            np.add.at(turn, rows, moved.turn_rad)
            np.add.at(loss_db, rows, moved.loss_db)
        return xyz, turn, loss_db

    def _limbs(
        self, tags: NDArray[np.int64], time_s: NDArray[np.float64], people_xy: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Arms, and hands at garments, (limbs, times, 3); a hand does not echo to the tag it holds (its loss
        is the motion's own)."""
        limbs = [self._arms.positions(people_xy, time_s)]
        for which in self._motions.by_hand.tolist():
            held = int(self._motions.tag[which])
            there = (
                (time_s >= self._motions.start_s[which])
                & (time_s <= self._motions.end_s[which])
                & (tags != held)
            )
            offset_m = self._motions.poses(np.full(len(time_s), which), time_s).offset_m
            hand_xyz = self.tag_xyz[held] + self._rest_offset_m[held] + offset_m
            limbs.append(np.where(there[:, None], hand_xyz, np.nan)[None])
        return np.concatenate(limbs)

    def reads(self, until_s: float, setup: InventorySetup) -> ReadTable:
        """Everything heard up to `until_s` (scenario seconds) since the last call; times are scenario
        seconds.
        """
        ports = [port for port in self._ports if port in setup.power_dbm]
        mode = MODES[setup.mode]
        tables = []
        while ports and self._round_s < until_s:
            port = ports[self._next_antenna % len(ports)]
            self._next_antenna += 1
            table, duration_s = self._round(port, self._round_s, setup)
            tables.append(table)
            self._round_s += max(duration_s, mode.round_s)
        if not ports:
            self._round_s = until_s
        return ReadTable.concatenate(tables)

    def skip_to(self, time_s: float) -> None:
        """Let time pass without reading."""
        self._round_s = max(self._round_s, time_s)
        self._advance_motions(self._round_s)

    def _round(self, port: int, start_s: float, setup: InventorySetup) -> tuple[ReadTable, float]:
        mode = MODES[setup.mode]
        self._advance_motions(start_s)
        tags = self._in_reach[port]
        tags = tags[self._quiet_until[tags] <= start_s]
        powered = self._margin_db[port][tags]
        joining = self._rng.random(len(tags)) < 1 / (1 + np.exp(-2.0 * powered))
        inventory = inventory_round(tags[joining], mode, self._rng)
        asked = np.concatenate([inventory.tags, tags[~joining]])
        times = np.concatenate([inventory.after_s, np.zeros(len(asked) - len(inventory.tags))]) + start_s
        now = self._link(port, asked, times, setup.power_dbm[port])
        self._margin_db[port][asked] = now.at_tag_dbm - self.radio.tag_sensitivity_dbm
        chance = 1 / (1 + np.exp(-2.0 * (now.at_reader_dbm - mode.sensitivity_dbm)))
        heard = (self._rng.random(len(asked)) < chance) & (self._margin_db[port][asked] > -1.0)
        heard[len(inventory.tags) :] = False
        if not setup.dual_target:
            self._quiet_until[asked[heard]] = start_s + SINGLE_TARGET_QUIET_S[setup.session]
        rssi_dbm, phase_rad = measure(self.radio, now.at_reader_dbm[heard], now.phase_rad[heard], self._rng)
        rows = asked[heard]
        table = ReadTable.from_columns(
            times[heard],
            [self.epcs[row] for row in rows],
            np.full(len(rows), port),
            self.plan.channel_at(times[heard]),
            rssi_dbm,
            phase_rad,
        )
        return table, inventory.duration_s

    def _link(
        self,
        port: int,
        tags: NDArray[np.int64],
        time_s: NDArray[np.float64],
        power_dbm: float,
        alone: bool = False,
    ) -> LinkBudget:
        index = self._ports.index(port)
        channel = self.plan.channel_at(time_s)
        frequency_hz = np.array(self.plan.frequencies_hz)[channel - 1]
        xyz, turn, loss_db = self._poses(tags, time_s)
        people_xy = self.crowd.positions(time_s)[: 0 if alone else None]
        gain = one_way_gain(
            self.radio,
            self.antenna_xyz[port],
            xyz,
            people_xy,
            self._scatterers.amplitude[index, tags],
            self._scatterers.excess_m[index, tags],
            frequency_hz,
            None if alone else self._limbs(tags, time_s, people_xy),
            self._facing[port],
        )
        budget = link(self.radio, power_dbm, gain, turn, loss_db)
        offset = self._channel_phase[index, channel] + self._tag_phase[tags]
        return LinkBudget(budget.at_tag_dbm, budget.at_reader_dbm, budget.phase_rad + offset)
