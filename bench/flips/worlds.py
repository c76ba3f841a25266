"""The production detector in every world of stores (`rfid_reader.training.worlds`), on stores that have not
trained it. What a detector does in a world that it has not learned from is shown beside it, by weights of
`python -m rfid_reader.training.course --without WORLD --out FILE` (HELD_OUT, or given as `weights`).

As a store would use it: calibrated from the quiet time, then fed with reads. A found flip is right if it
overlaps a handling of the same tag, widened by TOLERANCE_S; one handling has one right flip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from rfid_reader.antenna_calibration import calibrate_still
from rfid_reader.expected_flips import RATES_HZ, STRONG_DBM, band_of
from rfid_reader.flips.course import CourseNetwork, course_of
from rfid_reader.flips.detector import DetectedFlip
from rfid_reader.flips.events import EventRules
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.flips.network import rules_of
from rfid_reader.reads import TWO_PI, ReadTable
from rfid_reader.training.worlds import TESTED_ONLY, WORLDS, WorldRecording, simulate, unavailable
from rfid_reader.training.worlds import second as second_world

TOLERANCE_S = 1.5
OFTEN_HZ = 3.0
FIRST_SEED = 9100
"""Stores from 9000 on chose the rules, from 1000 on trained."""
HARSH_RATES_HZ = (4.0, 12.0)
HARSH_SECONDS = 360.0
HELD_OUT = Path(__file__).parent / "held_out"
"""WORLD.npz: courses of a network that WORLD has not trained, in half precision."""
Cell = tuple[int, int]
"""A band of reads a second, and whether a tag is strong (`rfid_reader.expected_flips`)."""


@dataclass(frozen=True)
class FlipCounts:
    """Right, false and missed flips over tag-hours."""

    right: int = 0
    false: int = 0
    missed: int = 0
    tag_hours: float = 0.0

    def __add__(self, other: FlipCounts) -> FlipCounts:
        return FlipCounts(
            self.right + other.right,
            self.false + other.false,
            self.missed + other.missed,
            self.tag_hours + other.tag_hours,
        )

    @property
    def f1(self) -> float:
        return 2 * self.right / max(2 * self.right + self.false + self.missed, 1)


@dataclass(frozen=True)
class WorldRow:
    """One world; seen: whether other stores of it have trained the detector. Of tags that were read OFTEN_HZ
    or more: f1, precision, recall, worst_store_f1, false_per_tag_hour; f1_of_all_tags with the others too.
    f1_by_band: of all tags by reads a second (RATES_HZ), of weak and of strong ones; None without flips."""

    world: str
    seen: bool
    stores: int
    flips: int
    f1: float
    precision: float
    recall: float
    worst_store_f1: float
    false_per_tag_hour: float
    f1_of_all_tags: float
    f1_by_band: list[tuple[float | None, float | None]]


def counted(found: Sequence[DetectedFlip], recording: WorldRecording, epcs: set[str]) -> FlipCounts:
    """Found flips of these tags against what happened to them."""
    used: set[int] = set()
    mine = [flip for flip in found if flip.epc in epcs]
    right = missed = 0
    for true in (one for one in recording.handlings if one.epc in epcs):
        middle_s = 0.5 * (true.start_s + true.end_s)
        near = [
            (abs(0.5 * (flip.start_s + flip.end_s) - middle_s), number)
            for number, flip in enumerate(mine)
            if number not in used
            and flip.epc == true.epc
            and flip.start_s <= true.end_s + TOLERANCE_S
            and flip.end_s >= true.start_s - TOLERANCE_S
        ]
        if near:
            used.add(min(near)[1])
            right += 1
        else:
            missed += 1
    hours = len(epcs) * recording.duration_s / 3600
    return FlipCounts(right, len(mine) - right, missed, hours)


def with_half_turns(recording: WorldRecording, share: float, seed: int) -> WorldRecording:
    """The same store before a reader whose phase is half a turn off on this share of all reads."""
    rng = np.random.default_rng([seed, 86])

    def turned(reads: ReadTable) -> ReadTable:
        half = rng.random(len(reads)) < share
        return replace(reads, phase_rad=(reads.phase_rad + math.pi * half) % TWO_PI)

    return replace(recording, still=turned(recording.still), reads=turned(recording.reads))


@dataclass(frozen=True)
class Weights:
    """The weights and rules of a detector, and the worlds that have trained them."""

    course: CourseNetwork
    rules: EventRules
    trained_on: tuple[str, ...]


def weights_of(path: Path | None = None, held_out: Sequence[str] = ()) -> Weights:
    """Those that ship, or a file of `rfid_reader.training.course` that has not seen `held_out`. Raises
    ReaderError if it does not fit."""
    data = files("rfid_reader.flips").joinpath("production.npz").read_bytes() if path is None else None
    content = path.read_bytes() if path is not None else data
    assert content is not None
    trained_on = tuple(world for world in WORLDS if world not in held_out)
    name = "production" if path is None else path.stem
    return Weights(course_of(content, name), rules_of(content), trained_on)


def held_out_weights(world: str) -> Weights | None:
    """Those that `world` has not trained, None where there are none."""
    path = HELD_OUT / f"{world}.npz"
    return weights_of(path, [world]) if path.exists() else None


def found_in(recording: WorldRecording, weights: Weights | None = None) -> list[DetectedFlip]:
    """What the detector finds, calibrated from the quiet time."""
    used = weights or weights_of()
    detector = ProductionDetector(calibrate_still(recording.still), rules=used.rules, course=used.course)
    return detector.feed(recording.reads) + detector.finish()


def cells_of(recording: WorldRecording) -> dict[str, Cell]:
    """Of the tags that are read often enough to be judged at all."""
    reads, found = recording.reads, {}
    for epc in np.unique(reads.epc).tolist():
        own = reads.take(reads.epc == epc)
        antennas, count = np.unique(own.antenna, return_counts=True)
        often = antennas[count >= 0.15 * count.max()]
        level_dbm = max(float(own.rssi_dbm[own.antenna == antenna].mean()) for antenna in often)
        band = band_of(len(own) / recording.duration_s)
        if band >= 0:
            found[str(epc)] = (band, int(level_dbm >= STRONG_DBM))
    return found


def judged(
    name: str, seen: bool, recordings: Sequence[WorldRecording], weights: Weights | None = None
) -> WorldRow:
    """One row over some stores."""
    often, every = [], FlipCounts()
    cells = {(band, strong): FlipCounts() for band in range(len(RATES_HZ)) for strong in (0, 1)}
    for recording in recordings:
        found = found_in(recording, weights)
        epcs, count = np.unique(recording.reads.epc, return_counts=True)
        heard = set(epcs[count / recording.duration_s >= OFTEN_HZ].tolist())
        often.append(counted(found, recording, heard))
        every += counted(found, recording, set(epcs.tolist()) | {one.epc for one in recording.handlings})
        of_tag = cells_of(recording)
        for cell in cells:
            cells[cell] += counted(found, recording, {epc for epc, one in of_tag.items() if one == cell})
    total = sum(often, FlipCounts())
    worst = [one.f1 for one in often if one.right + one.missed >= 3]
    f1 = {cell: round(one.f1, 3) if one.right + one.missed else None for cell, one in cells.items()}
    return WorldRow(
        name,
        seen,
        len(recordings),
        total.right + total.missed,
        round(total.f1, 3),
        round(total.right / max(total.right + total.false, 1), 3),
        round(total.right / max(total.right + total.missed, 1), 3),
        round(min(worst), 3) if worst else float("nan"),
        round(total.false / max(total.tag_hours, 1e-9), 2),
        round(every.f1, 3),
        [(f1[band, 0], f1[band, 1]) for band in range(len(RATES_HZ))],
    )


def world_rows(
    stores: int,
    seconds: float,
    told: Callable[[WorldRow], None] = lambda row: None,
    weights: Weights | None = None,
    only: Sequence[str] = (*WORLDS, *TESTED_ONLY),
) -> tuple[list[WorldRow], list[str]]:
    """Every world of `only` at its own rates, and by weights that have not seen it, if none are given; those
    that can be simulated with a reader whose half turns are random; the second model at each of
    HARSH_RATES_HZ. And a sentence for each world that is not there."""
    used, rows = weights or weights_of(), []
    missing = [why for world in only if (why := unavailable(world))]
    seeds = range(FIRST_SEED, FIRST_SEED + stores)

    def tell(name: str, seen: bool, made: Sequence[WorldRecording]) -> None:
        rows.append(judged(name, seen, made, used))
        told(rows[-1])
        if weights is None and (others := held_out_weights(world)) is not None:
            rows.append(judged(f"{name}, held out", False, made, others))
            told(rows[-1])

    for world in (one for one in only if not unavailable(one)):
        seen = world in used.trained_on
        if world == "second":
            for rate_hz in HARSH_RATES_HZ:
                harsh = [second_world.simulate(seed, HARSH_SECONDS, rate_hz) for seed in seeds]
                tell(f"second, {rate_hz:g} tried reads/s", seen, harsh)
            continue
        made = [simulate(world, seed, seconds) for seed in seeds]
        tell(world, seen, made)
        ambiguous = [with_half_turns(one, 0.5, number) for number, one in enumerate(made)]
        tell(f"{world}, random half turns", seen, ambiguous)
    return rows, missing
