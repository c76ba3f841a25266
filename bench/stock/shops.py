"""Simulated stores in which garments change places, while people walk about and turn garments at racks.

A store, its radio and its browsing people are those of the flips' world `shop`, drawn from wide ranges.
Their reader is in a slow mode, so that a tag is read as often as in a store of hundreds. Beside the people
one carrier after another takes a garment: to another rack, about the shop and back to its own, to a fitting
room that no antenna reads and back, out of the door; or brings a new one. On the way they stop by racks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from rfid_reader.inventory.levels import PERIOD_S, Levels, TagLevels
from rfid_reader.simulator.scenarios.files import PathSpec, ScenarioFile
from rfid_reader.simulator.scenarios.random_stores import generate_store
from rfid_reader.simulator.world import World

READER = "reader"
SLOW_MODE = 3
KINDS = ("moved", "returned", "tried", "sold", "delivered")
SHARES = (0.55, 0.2, 0.05, 0.1, 0.1)
AWAY = (500.0, 500.0, 1.0)
BEGIN_S, BREAK_S = 150.0, (5.0, 20.0)
LAST_S = 220.0
"""Nobody sets out any more: so long before the end."""
STEP_S = 0.5
STOP_S = (3.0, 25.0)
"""How long a carrier stands by a rack on the way."""
ROOM_S = (60.0, 240.0)
WALK_M_PER_S = (0.6, 1.3)
HELD_M = np.array([0.2, 0.1, 1.1])


@dataclass(frozen=True)
class Journey:
    """A garment's way, from its rack's place to another's; None: outside the shop."""

    kind: str
    epc: str
    start_s: float
    end_s: float
    begins_at: str | None
    ends_at: str | None


@dataclass(frozen=True)
class StockShop:
    """Slot by slot what was heard, the truth, and how often each tag was read at rest."""

    seed: int
    seconds: float
    place_of: dict[tuple[str, int], str]
    slots: list[list[tuple[str, Levels]]]
    journeys: list[Journey]
    home: dict[str, str]
    """Where each tag that hangs from the beginning hangs."""


@dataclass
class _Way:
    journey: Journey
    tag: int
    time_s: NDArray[np.float64]
    xyz: NDArray[np.float64]
    rest_xyz: tuple[float, float, float]


def simulate(seed: int, seconds: float) -> StockShop:
    """One store for so long; all follows from the seed."""
    from rfid_reader.training.worlds.shop import widened  # not installed with the product

    rng = np.random.default_rng([seed, 23])
    store = widened(generate_store(seed, seconds), seed)
    slow = msgspec.structs.replace(store.scenario.reader, mode=SLOW_MODE)
    store = ScenarioFile(msgspec.structs.replace(store.scenario, reader=slow), store.folder)
    if len(store.scenario.antennas) < 2:
        return simulate(seed + 100_000, seconds)
    plan = World(store)
    place_of, rack_place = _places(plan)
    ways = list(_ways(plan, rack_place, seconds, rng))
    paths = [
        PathSpec(
            f"carrier-{number}",
            [(float(t), float(x), float(y)) for t, (x, y, _) in zip(way.time_s, way.xyz, strict=True)],
        )
        for number, way in enumerate(ways)
    ]
    people = msgspec.structs.replace(store.scenario.people, paths=paths)
    world = World(ScenarioFile(msgspec.structs.replace(store.scenario, people=people), store.folder))
    new = {way.tag for way in ways if way.journey.kind == "delivered"}
    for tag in new:
        world.hang(tag, AWAY)
    home = {epc: rack_place[world.rack_of[tag]] for tag, epc in enumerate(world.epcs) if tag not in new}
    slots = list(_hear(world, ways, seconds))
    return StockShop(seed, seconds, place_of, slots, [way.journey for way in ways], home)


def _places(world: World) -> tuple[dict[tuple[str, int], str], list[str]]:
    """The place of each antenna, and of each rack that of the antenna nearest to its middle."""
    ports = sorted(world.antenna_xyz)
    place_of = {(READER, port): f"place {port}" for port in ports}
    racks = []
    for rack in world.racks:
        away = [float(np.linalg.norm(_aim(world, port) - rack.at)) for port in ports]
        racks.append(f"place {ports[int(np.argmin(away))]}")
    return place_of, racks


def _aim(world: World, port: int) -> NDArray[np.float64]:
    spec = next(spec for spec in world.scenario.antennas if spec.port == port)
    return np.array(spec.at if spec.looks_at is None else spec.looks_at[:2])


def _ways(world: World, rack_place: list[str], seconds: float, rng: np.random.Generator) -> Iterator[_Way]:
    centre = np.mean([rack.at for rack in world.racks], axis=0)
    door = centre + np.array([0.0, 7.0])
    at = dict(enumerate(world.rack_of))
    used: set[int] = set()
    now_s = BEGIN_S
    while now_s < seconds - LAST_S:
        kind = str(rng.choice(KINDS, p=SHARES))
        free = [tag for tag in at if kind != "delivered" or tag not in used]
        others = [rack for rack, place in enumerate(rack_place) if place]
        tag = int(rng.choice(free)) if free else -1
        if tag < 0:
            break
        rack = at[tag]
        goals = [one for one in others if rack_place[one] != rack_place[rack]]
        if kind == "moved" and not goals:
            kind = "returned"
        goal = int(rng.choice(goals)) if kind == "moved" else rack
        begins = door if kind == "delivered" else world.tag_xyz[tag][:2]
        ends = door + np.array([0.0, 8.0]) if kind == "sold" else _hook(world, goal, rng)
        time_s, xyz = _walk(world, begins, ends[:2], kind, now_s, rng)
        journey = Journey(
            kind, world.epcs[tag], now_s, float(time_s[-1]),
            None if kind == "delivered" else rack_place[rack], None if kind == "sold" else rack_place[goal],
        )  # fmt: skip
        used.add(tag)
        rest = AWAY if kind == "sold" else (float(ends[0]), float(ends[1]), float(ends[2]))
        yield _Way(journey, tag, time_s, xyz, rest)
        if kind == "sold":
            del at[tag]
        else:
            at[tag] = goal
        now_s = float(time_s[-1]) + rng.uniform(*BREAK_S)


def _hook(world: World, rack: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A free place on a rack's rail."""
    spec, where = world.scenario.racks[rack], world.racks[rack]
    along = where.along[:2] * rng.uniform(-0.9, 0.9) * where.half_length_m
    return np.array([*(where.at + along), spec.height_m + rng.normal(0, 0.05)])


def _walk(
    world: World,
    begins: NDArray[np.float64],
    ends: NDArray[np.float64],
    kind: str,
    start_s: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and places of a carrier, who stops by up to two racks, or in a room out of reach."""
    stops = [
        (world.racks[int(rng.integers(len(world.racks)))].at + rng.normal(0, 0.6, 2), rng.uniform(*STOP_S))
        for _ in range(int(rng.integers(0, 3)))
    ]
    if kind == "tried":
        stops.append((np.array(AWAY[:2]), rng.uniform(*ROOM_S)))
    points, here = [np.array(begins)], np.array(begins)
    for goal, stay_s in [*stops, (ends, 2.0)]:
        far = float(np.linalg.norm(goal - here)) > 100 or float(np.linalg.norm(here)) > 300
        steps = 6 if far else max(int(np.linalg.norm(goal - here) / rng.uniform(*WALK_M_PER_S) / STEP_S), 2)
        shares = np.ones(steps) if far else np.arange(1, steps + 1) / steps
        points += [here + share * (goal - here) for share in shares]
        here = np.array(goal)
        points += [here + rng.normal(0, 0.05, 2) for _ in range(int(stay_s / STEP_S))]
    xy = np.array(points)
    time_s = start_s + STEP_S * np.arange(len(xy), dtype=np.float64)
    return time_s, np.column_stack([xy, np.full(len(xy), HELD_M[2])])


def _hear(world: World, ways: list[_Way], seconds: float) -> Iterator[list[tuple[str, Levels]]]:
    levels, setup = TagLevels(), world.setup()
    steps = round(PERIOD_S / STEP_S)
    pending = list(ways)
    for number in range(1, int(seconds / STEP_S) + 1):
        now_s = number * STEP_S
        if pending and pending[0].time_s[0] <= now_s:
            way = pending[0]
            if now_s > way.time_s[-1]:
                world.hang(way.tag, way.rest_xyz)
                pending.pop(0)
            else:
                at = way.xyz[np.searchsorted(way.time_s, now_s, side="right") - 1]
                x, y, z = (at + np.array([HELD_M[0], HELD_M[1], 0.0])).tolist()
                world.carry(way.tag, (x, y, z))
        levels.feed(world.reads(now_s, setup))
        if number % steps == 0:
            yield levels.take()
