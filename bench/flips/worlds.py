"""The shipped production detector in every world of stores (`rfid_reader.training.worlds`), on stores that
have not trained it. What it would do in a world that it has not learned from is printed by
`python -m rfid_reader.training.fine_tuning --without WORLD`.

As a store would use it: calibrated from the quiet time, then fed with reads. A found flip is right if it
overlaps a handling of the same tag, widened by TOLERANCE_S; one handling has one right flip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rfid_reader.antenna_calibration import calibrate_still
from rfid_reader.flips.detector import DetectedFlip
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.reads import TWO_PI, ReadTable
from rfid_reader.training.worlds import TESTED_ONLY, WORLDS, WorldRecording, simulate, unavailable
from rfid_reader.training.worlds import second as second_world

TOLERANCE_S = 1.5
OFTEN_HZ = 3.0
FIRST_SEED = 9100
"""Stores from 9000 on chose the rules, from 1000 on trained."""
HARSH_RATES_HZ = (4.0, 12.0)
HARSH_SECONDS = 360.0
TRAINED = ("shop",)
"""Worlds that the shipped networks have learned from."""


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
    or more: f1, precision, recall, worst_store_f1, false_per_tag_hour; f1_of_all_tags with the others too."""

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


def found_in(recording: WorldRecording) -> list[DetectedFlip]:
    """What the shipped detector finds, calibrated from the quiet time."""
    detector = ProductionDetector(calibrate_still(recording.still))
    return detector.feed(recording.reads) + detector.finish()


def judged(name: str, seen: bool, recordings: Sequence[WorldRecording]) -> WorldRow:
    """One row over some stores."""
    often, every = [], FlipCounts()
    for recording in recordings:
        found = found_in(recording)
        epcs, count = np.unique(recording.reads.epc, return_counts=True)
        heard = set(epcs[count / recording.duration_s >= OFTEN_HZ].tolist())
        often.append(counted(found, recording, heard))
        every += counted(found, recording, set(epcs.tolist()) | {one.epc for one in recording.handlings})
    total = sum(often, FlipCounts())
    worst = [one.f1 for one in often if one.right + one.missed >= 3]
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
    )


def world_rows(
    stores: int, seconds: float, told: Callable[[WorldRow], None] = lambda row: None
) -> tuple[list[WorldRow], list[str]]:
    """Every world at its own rates; those that can be simulated with a reader whose half turns are random;
    the second model at each of HARSH_RATES_HZ. And a sentence for each world that is not there."""
    rows: list[WorldRow] = []
    missing = [why for world in (*WORLDS, *TESTED_ONLY) if (why := unavailable(world))]
    seeds = range(FIRST_SEED, FIRST_SEED + stores)
    for world in (*WORLDS, *TESTED_ONLY):
        if unavailable(world):
            continue
        seen = world in TRAINED
        if world == "second":
            for rate_hz in HARSH_RATES_HZ:
                made = [second_world.simulate(seed, HARSH_SECONDS, rate_hz) for seed in seeds]
                rows.append(judged(f"second, {rate_hz:g} tried reads/s", seen, made))
                told(rows[-1])
            continue
        made = [simulate(world, seed, seconds) for seed in seeds]
        rows.append(judged(world, seen, made))
        told(rows[-1])
        ambiguous = [with_half_turns(one, 0.5, number) for number, one in enumerate(made)]
        rows.append(judged(f"{world}, random half turns", seen, ambiguous))
        told(rows[-1])
    return rows, missing
