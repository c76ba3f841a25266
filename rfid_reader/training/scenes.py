"""Small scenes that stores do not hold, as material for training: a tag alone before a reader that has just
been switched on, tags across a room with somebody between, stores with many people, and stores whose reader
pauses now and then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from rfid_reader.reads import ReadTable
from rfid_reader.simulator.radio.hopping import PLANS, HopPlan
from rfid_reader.simulator.recordings import StoreRecording, record
from rfid_reader.simulator.scenarios.files import (
    AntennaSpec,
    FlipsSpec,
    GivenFlip,
    PathSpec,
    PeopleSpec,
    RackSpec,
    Scenario,
    ScenarioFile,
    ScenarioReader,
    TagRun,
)
from rfid_reader.simulator.scenarios.random_stores import draw_radio, generate_store
from rfid_reader.simulator.world import World
from rfid_reader.training.worlds.recording import TURNED, Handling, WorldRecording
from rfid_reader.training.worn import worn_scene

ONE_CHANNEL = HopPlan("one channel", (918.0e6,), 2.0, False, 0, 410)
LONE_S, CARRIED_S, FACING_S, RESTLESS_S, BESET_S, BUSY_S = 30.0, 20.0, 60.0, 40.0, 60.0, 150.0
LEAST_POWER_DBM = 24.0


def _record(scenario: Scenario, one_channel: bool, duration_s: float) -> StoreRecording:
    world = World(ScenarioFile(scenario, Path()))
    if one_channel:
        world.plan = ONE_CHANNEL
    reads = world.reads(duration_s, world.setup())
    return StoreRecording(
        scenario.name, duration_s, len(world.epcs), reads, world.finished_flips(duration_s + 10)
    )


def _flips(rng: np.random.Generator, racks: list[RackSpec], count: int, until_s: float) -> list[GivenFlip]:
    flips, start_s = [], float(rng.uniform(0.5, 6.0))
    for _ in range(count):
        length_s = float(rng.uniform(1.5, 8.0))
        if start_s + length_s > until_s:
            break
        rack = racks[int(rng.integers(len(racks)))]
        place = int(rng.integers(len(rack.epcs()))) + 1
        flips.append(GivenFlip(rack.name, place, start_s, start_s + length_s))
        start_s += length_s + float(rng.uniform(2.0, 12.0))
    return flips


def _way(kind: str, rng: np.random.Generator, far_m: float, until_s: float) -> PathSpec:
    """Somebody between antenna and tags: stands, moves on the spot, or walks to and fro."""
    times = np.arange(0.0, until_s + 0.5, 0.25)
    x, y = rng.uniform(0.25, 0.85) * far_m, rng.uniform(-0.7, 0.7)
    reach_m = {"stands": 0.0, "moves": rng.uniform(0.05, 0.25), "walks": rng.uniform(0.4, 1.2)}[kind]
    heading, rate_hz = rng.uniform(0, math.pi), rng.uniform(0.15, 0.6)
    calm = rng.uniform(0, 1, len(times)).cumsum() * 0.25 if rng.random() < 0.5 else times
    angle = 2 * math.pi * rate_hz * calm
    way_x = x + reach_m * math.cos(heading) * np.sin(angle)
    way_y = y + reach_m * math.sin(heading) * np.sin(angle + rng.uniform(0, math.pi))
    points = zip(times, np.clip(way_x, 0.3, 1.2 * far_m), way_y, strict=True)
    return PathSpec("person", [(float(a), float(b), float(c)) for a, b, c in points])


def lone_scene(seed: int) -> StoreRecording:
    """One to three tags before one to four antennas, from the first read on; in half of the scenes a tag is
    taken in hand, now and then at once, and nobody is beside it but the one who does it."""
    rng = np.random.default_rng([seed, 61])
    count, antennas = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    racks = [RackSpec("table", (0.0, 0.0), TagRun(count, f"a1{seed % 65536:04x}"), 0.0, 0.4, 1.0)]
    places = _around(rng, antennas)
    flips = _flips(rng, racks, 3, LONE_S) if rng.random() < 0.5 else []
    people = [_way(str(rng.choice(["stands", "moves"])), rng, 2.0, LONE_S)] if rng.random() < 0.4 else []
    plan = str(rng.choice(list(PLANS)))
    scenario = _table(f"lone-{seed}", seed, rng, places, racks, plan, flips, people)
    return _record(scenario, bool(rng.random() < 0.2), LONE_S)


def carried_scene(seed: int) -> StoreRecording:
    """A tag that a hand moves about from before the first read to after the last; in half of the scenes one
    that lies still. Every third reader says whole dBm only."""
    rng = np.random.default_rng([seed, 65])
    racks = [RackSpec("table", (0.0, 0.0), TagRun(1, f"a3{seed % 65536:04x}"), 0.0, 0.4, 1.0)]
    places = _around(rng, int(rng.integers(1, 5)))
    flips, start_s = [], 0.0
    while seed % 2 and start_s < CARRIED_S:
        length_s = float(rng.uniform(1.5, 4.0))
        flips.append(GivenFlip("table", 1, start_s, start_s + length_s))
        start_s += 0.6 * length_s
    plan = "fcc" if rng.random() < 0.5 else str(rng.choice(list(PLANS)))
    scenario = _table(f"carried-{seed}", seed, rng, places, racks, plan, flips, [])
    recording = _record(scenario, bool(rng.random() < 0.1), CARRIED_S)
    if seed % 3:
        return recording
    reads = recording.reads
    return replace(recording, reads=replace(reads, rssi_dbm=np.round(reads.rssi_dbm)))


def _around(rng: np.random.Generator, antennas: int) -> list[AntennaSpec]:
    """Antennas around a table, looking at it."""
    around = rng.uniform() * 2 * math.pi + np.arange(antennas) * 2 * math.pi / antennas
    far_m = rng.uniform(0.8, 2.5, antennas)
    return [
        AntennaSpec(
            port + 1,
            (float(far * math.cos(angle)), float(far * math.sin(angle))),
            float(rng.uniform(0.8, 2.5)),
            (0, 0, 1),
        )
        for port, (angle, far) in enumerate(zip(around, far_m, strict=True))
    ]


def _table(
    name: str,
    seed: int,
    rng: np.random.Generator,
    places: list[AntennaSpec],
    racks: list[RackSpec],
    plan: str,
    flips: list[GivenFlip],
    people: list[PathSpec],
) -> Scenario:
    return Scenario(
        name,
        places,
        racks,
        seed=seed,
        hop_plan=plan,
        duration_s=LONE_S,
        radio=draw_radio(rng, LEAST_POWER_DBM),
        people=PeopleSpec(paths=people),
        flips=FlipsSpec(given=flips),
        reader=ScenarioReader(mode=int(rng.choice([2, 3, 1000]))),
        multipath=float(rng.uniform(0.15, 0.6)),
        sway_m=float(rng.choice([0.0, 0.0003])),
    )


def restless_scene(seed: int) -> StoreRecording:
    """Like facing_scene, with two people who move all the time, echo twice as much, and echo from more walls:
    real people disturb phase further than simulated ones do (`bench flips --realism`)."""
    return facing_scene(seed, True)


def facing_scene(seed: int, restless: bool = False) -> StoreRecording:
    """Rows of tags across a room from an antenna, and somebody between who stands, moves or walks; in a
    quarter of the scenes a tag is taken now and then."""
    rng = np.random.default_rng([seed, 66 if restless else 62])
    far_m = float(rng.uniform(2.0, 4.0))
    racks = _rows_across(rng, far_m, f"a2{seed % 65536:04x}", (0.8, 1.6), 0.5)
    kind = str(rng.choice(["stands", "moves", "walks"], p=[0.0, 0.5, 0.5] if restless else [0.2, 0.4, 0.4]))
    until_s = RESTLESS_S if restless else FACING_S
    scenario = Scenario(
        f"facing-{seed}",
        [AntennaSpec(1, (0.0, 0.0), 1.2, (far_m, 0.0, 1.2))],
        racks,
        seed=seed,
        hop_plan=str(rng.choice(list(PLANS))),
        duration_s=until_s,
        people=PeopleSpec(paths=[_way(kind, rng, far_m, until_s)]),
        flips=FlipsSpec(given=_flips(rng, racks, 6, until_s) if rng.random() < 0.25 else []),
        reader=ScenarioReader(mode=1000),
        radio=draw_radio(rng, LEAST_POWER_DBM),
        multipath=float(rng.uniform(0.15, 0.9)),
        sway_m=float(rng.choice([0.0, 0.0005])),
    )
    if restless:
        echoes = {name: 2.0 * scenario.radio[name] for name in ("body_gain_m", "limb_gain_m")}
        second = msgspec.structs.replace(_way("walks", rng, far_m, until_s), person="second")
        scenario = msgspec.structs.replace(
            scenario,
            people=PeopleSpec(paths=[*scenario.people.paths, second]),
            radio={**scenario.radio, **echoes},
            multipath=1.5 * scenario.multipath,
        )
    return with_pauses(_record(scenario, bool(rng.random() < 0.6), until_s), seed, 5.0)


def _rows_across(
    rng: np.random.Generator, far_m: float, code: str, width_m: tuple[float, float], lowest_m: float
) -> list[RackSpec]:
    """One to four rows of tags `far_m` from the antenna, one above the other; `code` begins their EPCs."""
    return [
        RackSpec(
            f"row-{row}",
            (far_m, 0.0),
            TagRun(int(rng.integers(2, 6)), f"{code}{row:02x}"),
            90.0,
            float(rng.uniform(*width_m)),
            lowest_m + 0.4 * row,
        )
        for row in range(int(rng.integers(1, 5)))
    ]


def _slow_way(rng: np.random.Generator, far_m: float) -> list[tuple[float, float, float]]:
    """Slowly to and fro, or hardly at all: between antenna and tags, near either, or beside them."""
    times = np.arange(0.0, BESET_S + 0.5, 0.25)
    x, y = rng.uniform(0.2, 1.0) * far_m, rng.uniform(-1.0, 1.0)
    reach_m, rate_hz, start = (
        rng.uniform(0.02, 0.5, 2),
        rng.uniform(0.03, 0.5, 2),
        rng.uniform(0, 2 * math.pi, 2),
    )
    way_x = x + reach_m[0] * np.sin(2 * math.pi * rate_hz[0] * times + start[0])
    way_y = y + reach_m[1] * np.sin(2 * math.pi * rate_hz[1] * times + start[1])
    points = zip(times, np.clip(way_x, 0.3, 1.1 * far_m), way_y, strict=True)
    return [(float(a), float(b), float(c)) for a, b, c in points]


def beset_scene(seed: int) -> StoreRecording:
    """Like facing_scene, with one to three people who sway slowly, move on the spot or walk, and whose bodies
    echo up to 3.5 times, limbs up to 6 times as much as in a store; in three of ten a tag is taken now and
    then."""
    rng = np.random.default_rng([seed, 67])
    far_m = float(rng.uniform(1.5, 4.5))
    racks = _rows_across(rng, far_m, f"a4{seed % 65536:04x}", (0.6, 1.8), 0.4)
    paths = []
    for number in range(int(rng.choice([1, 1, 2, 3]))):
        kind = rng.random()
        if kind < 0.5:
            paths.append(PathSpec(f"person-{number}", _slow_way(rng, far_m)))
        else:
            way = _way("moves" if kind < 0.75 else "walks", rng, far_m, BESET_S)
            paths.append(msgspec.structs.replace(way, person=f"person-{number}"))
    radio = draw_radio(rng, LEAST_POWER_DBM)
    for name, most in (("body_gain_m", 3.5), ("limb_gain_m", 6.0)):
        radio[name] *= rng.uniform(1.0, most)
    scenario = Scenario(
        f"beset-{seed}",
        [AntennaSpec(1, (0.0, 0.0), 1.2, (far_m, 0.0, 1.2))],
        racks,
        seed=seed,
        hop_plan=str(rng.choice(list(PLANS))),
        duration_s=BESET_S,
        people=PeopleSpec(paths=paths),
        flips=FlipsSpec(given=_flips(rng, racks, 6, BESET_S) if rng.random() < 0.3 else []),
        reader=ScenarioReader(mode=1000),
        radio=radio,
        multipath=float(rng.uniform(0.15, 1.2)),
        sway_m=float(rng.choice([0.0, 0.0005])),
    )
    recording = _record(scenario, bool(rng.random() < 0.5), BESET_S)
    return with_pauses(recording, seed, float(rng.choice([5.0, 10.0, 40.0])))


def busy_store(seed: int) -> StoreRecording:
    """A generated store with many people, nearly all of whom turn garments over."""
    store = generate_store(seed, BUSY_S)
    scenario = store.scenario
    people = int(np.random.default_rng([seed, 64]).integers(3, 6))
    assert scenario.flips.auto is not None
    auto = msgspec.structs.replace(scenario.flips.auto, chance=0.97)
    busy = msgspec.structs.replace(
        scenario,
        name=f"busy-{seed}",
        people=msgspec.structs.replace(scenario.people, random=people),
        flips=msgspec.structs.replace(scenario.flips, auto=auto),
    )
    return record(ScenarioFile(busy, store.folder), BUSY_S)


def with_pauses(recording: StoreRecording, seed: int, mean_s: float = 20.0) -> StoreRecording:
    """The same recording from a random time on, its reader silent for 2 to 15 s every `mean_s` or so."""
    rng = np.random.default_rng([seed, 63])
    time_s = recording.reads.time_s
    keep = time_s >= rng.uniform(0, 0.4) * recording.duration_s
    end_s = 0.0
    while end_s < recording.duration_s:
        start_s = end_s + rng.uniform(0.5, 1.5) * mean_s
        end_s = start_s + rng.uniform(2.0, 15.0)
        keep &= (time_s < start_s) | (time_s > end_s)
    reads: ReadTable = recording.reads.take(keep)
    return replace(recording, reads=reads)


def _as_world(recording: StoreRecording) -> WorldRecording:
    handlings = tuple(
        Handling(flip.epc, TURNED, flip.start_s, flip.end_s)
        for flip in sorted(recording.flips, key=lambda flip: flip.start_s)
    )
    return WorldRecording(
        recording.name,
        ReadTable.empty(),
        recording.reads.in_time_order(),
        handlings,
        recording.tags,
        recording.duration_s,
    )


SCENES: dict[str, Callable[[int], WorldRecording]] = {
    "lone": lambda seed: _as_world(lone_scene(seed)),
    "carried": lambda seed: _as_world(carried_scene(seed)),
    "facing": lambda seed: _as_world(facing_scene(seed)),
    "beset": lambda seed: _as_world(beset_scene(seed)),
    "worn": worn_scene,
}
"""Scenes by name, without a quiet time before."""
