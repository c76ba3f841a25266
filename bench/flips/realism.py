"""The simulated radio beside real readers: still tags, and tags that a person disturbs without touching them.

The disturbed scene is that of rfid-cwnu-rda: an antenna that faces sixteen tags across a room, and a person
between them who stands, moves on the spot, or walks about. Real readers of that set take a read's phase half
a turn wrong now and then, the more often the weaker the link; so phases are compared modulo half a turn too,
and how often they jump by half a turn from read to read is a row of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.flips.real_reads import load_locate, load_rda, spread_in_cells
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.recordings import record
from rfid_reader.simulator.scenario import (
    AntennaSpec,
    PathSpec,
    PeopleSpec,
    RackSpec,
    ReaderSpec,
    Scenario,
    ScenarioFile,
    TagRun,
)
from rfid_reader.simulator.stores import generate_store

FOREVER_S = 1e9
CLIP_S = 5.0
CLIPS = 24
STILL_LABELS = {0, 2, 5, 14, 16, 19}
WALK_LABELS = {7, 8, 9, 10, 11}
WEAK_DBM = -70.0


@dataclass(frozen=True)
class Realism:
    """Medians over stretches of one tag on one channel: phase sd (rad), the same modulo half a turn, RSSI sd
    (dB); share of reads of weak links (below WEAK_DBM) half a turn from the one before; reads a second a tag
    (None where the set has no clips)."""

    source: str
    phase_sd_rad: float
    folded_sd_rad: float
    rssi_sd_db: float
    half_turns: float | None
    rate_hz: float | None
    stretches: int


def _folded(reads: ReadTable) -> ReadTable:
    return replace(reads, phase_rad=reads.phase_rad * 2)


def half_turns(tables: list[ReadTable]) -> float | None:
    """Share of steps of about half a turn between consecutive reads of a tag, on links below WEAK_DBM."""
    jumps: list[NDArray[np.bool_]] = []
    for table in tables:
        for epc in np.unique(table.epc):
            of_tag = table.epc == epc
            if table.rssi_dbm[of_tag].mean() < WEAK_DBM:
                step = np.abs(np.angle(np.exp(1j * np.diff(table.phase_rad[of_tag]))))
                jumps.append(step > math.pi - 0.5)
    every = np.concatenate(jumps) if jumps else np.zeros(0, np.bool_)
    return round(float(every.mean()), 3) if len(every) >= 50 else None


def compared(source: str, tables: list[ReadTable], gap_s: float, clips: bool = False) -> Realism | None:
    """One row over recordings; None without any stretch."""
    phase, folded, rssi = [], [], []
    for table in tables:
        one_phase, one_rssi = spread_in_cells(table, gap_s)
        phase += one_phase
        rssi += one_rssi
        folded += [0.5 * value for value in spread_in_cells(_folded(table), gap_s)[0]]
    if not phase:
        return None
    rates = [len(one) / len(np.unique(one.epc)) / CLIP_S for one in tables if len(one)]
    return Realism(
        source,
        round(float(np.median(phase)), 3),
        round(float(np.median(folded)), 3),
        round(float(np.median(rssi)), 2),
        half_turns(tables) if clips else None,
        round(float(np.median(rates)), 1) if clips else None,
        len(phase),
    )


def _person(kind: str, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """A way through the scene: time, x, y."""
    times = np.arange(0.0, CLIP_S + 0.5, 0.25)
    x, y = rng.uniform(0.8, 2.4), rng.uniform(-0.5, 0.5)
    if kind == "stands":
        reach_x = reach_y = rate_hz = 0.0
    elif kind == "moves on the spot":
        reach_x, reach_y, rate_hz = rng.uniform(0.05, 0.2), rng.uniform(0.05, 0.2), rng.uniform(0.2, 0.6)
    else:
        heading, reach_m = rng.uniform(0, math.pi), rng.uniform(0.5, 0.9)
        x, y, rate_hz = 1.6, 0.0, rng.uniform(0.15, 0.35)
        reach_x, reach_y = reach_m * math.cos(heading), reach_m * math.sin(heading)
    angle = 2 * math.pi * rate_hz * times + rng.uniform(0, 2 * math.pi)
    turn = 0.0 if kind == "walks about" else 0.5 * math.pi
    ways = zip(times, x + reach_x * np.sin(angle), y + reach_y * np.sin(angle + turn), strict=True)
    return [(float(time_s), float(x_m), float(y_m)) for time_s, x_m, y_m in ways]


def scene(kind: str, seed: int) -> ReadTable:
    """One simulated clip of the scene of rfid-cwnu-rda."""
    rng = np.random.default_rng([seed, 8])
    rows = [
        RackSpec(f"row-{row}", (3.2, 0.0), TagRun(4, f"aa{row:02x}"), 90.0, 1.2, 0.6 + 0.4 * row)
        for row in range(4)
    ]
    scenario = Scenario(
        "facing tags",
        [AntennaSpec(1, (0.0, 0.0), 1.2, (3.2, 0.0, 1.2))],
        rows,
        seed=seed,
        hop_plan="etsi",
        duration_s=CLIP_S,
        people=PeopleSpec(paths=[PathSpec("person", _person(kind, rng))]),
        reader=ReaderSpec(mode=1000),
        radio={"power_dbm": float(rng.uniform(24, 31))},
        sway_m=0.0,
    )
    return record(ScenarioFile(scenario, Path()), CLIP_S).reads


def _still_store(seed: int) -> ReadTable:
    store = generate_store(seed)
    empty = msgspec.structs.replace(
        store.scenario,
        people=msgspec.structs.replace(store.scenario.people, random=0),
        hop_plan="fcc",
        sway_m=0.0,
    )
    return record(ScenarioFile(empty, store.folder), 60.0).reads


def realism(seed: int, data: Path | None) -> list[Realism]:
    """Simulated and, where `data` is there, real rows, pairwise."""
    found = [compared("simulated, nobody near", [_still_store(seed)], FOREVER_S)]
    rda: list[tuple[int, Path]] = []
    if data is not None:
        locate = data / "rfid-r420-locate"
        files = sorted([*locate.glob("Test12/*.csv"), *locate.glob("Test13/*.csv")])
        found.append(compared("real, still tags (r420-locate)", [load_locate(path) for path in files], 0.25))
        rda = [
            (int(path.stem.rsplit("_")[-1]), path)
            for path in sorted((data / "rfid-cwnu-rda").glob("*/*.txt"))
        ]
    others = {label for label, _ in rda} - STILL_LABELS - WALK_LABELS
    for kind, labels in (
        ("stands", STILL_LABELS),
        ("moves on the spot", others),
        ("walks about", WALK_LABELS),
    ):
        simulated = [scene(kind, number) for number in range(CLIPS)]
        found.append(compared(f"simulated, a person {kind}", simulated, 2.0, clips=True))
        tables = [table for label, path in rda if label in labels and len(table := load_rda(path))]
        what = "labels " + ",".join(map(str, sorted(labels)))
        found.append(compared(f"real, {what} (cwnu-rda)", tables[::3], 2.0, clips=True))
    return [row for row in found if row is not None]
