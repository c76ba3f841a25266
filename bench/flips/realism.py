"""The worlds' radio beside real readers: tags that hang still, and tags that move.

Of every stretch (one tag on one antenna): the noise of phase and of level from steps between reads of one
channel that follow one another, by level; how far a channel's phase is when it comes again; how far a moving
tag's phase turns from read to read, and how much more it turns than its level moves (8.69 times the rms
phase step over the rms step of level; 1 for a scattered wave added to a still one). A world is as real as a
set where the set's median lies between the tenth and the ninetieth percentile of the world's stretches. What
moves in worlds is held against tags that were carried or walked about with, what moves on people in the
scenes of worn tags against tags that were worn. A given world, which is not ours to change, is compared and
does not fail.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.flips.real_reads import WALK_LABELS, load_gesture, load_locate, load_rda, still_part
from rfid_reader.reads import ReadTable
from rfid_reader.training.disturbances import disturbed
from rfid_reader.training.scenes import SCENES
from rfid_reader.training.worlds import WORLDS, WorldRecording, simulate, unavailable

Array = NDArray[np.float64]
BANDS_DBM = ((-52.0, -40.0), (-58.0, -52.0), (-63.0, -58.0), (-68.0, -63.0))
MAX_STEP_S, MIN_STEPS, MIN_MOVED = 0.6, 12, 8
AGAIN_S = 5.0
MIN_STRETCHES = 5
PIECE_S = 4.0
STORES, SECONDS = 24, 90.0
FIRST_SEED = 8000
GIVEN = ("second",)
TO_SD = 1 / (0.6745 * math.sqrt(2))
"""From the median size of a step to the standard deviation of a read, for normal noise."""


@dataclass(frozen=True)
class Quantity:
    """The median, tenth and ninetieth percentile of one quantity over stretches."""

    name: str
    source: str
    median: float
    p10: float
    p90: float
    stretches: int


@dataclass(frozen=True)
class ReadSteps:
    """Steps between reads of one tag, antenna and channel: seconds, phase (rad), level (dB); and the
    level."""

    passed_s: Array
    turn_rad: Array
    shift_db: Array
    level_dbm: float


def stretches(reads: ReadTable) -> list[ReadSteps]:
    """Of every tag and antenna."""
    _, tag = np.unique(reads.epc, return_inverse=True)
    pair = tag.astype(np.int64) * 256 + reads.antenna
    cell = pair * 1024 + reads.channel
    order = np.lexsort((reads.time_s, cell))
    same = np.diff(cell[order]) == 0
    turn = (np.diff(reads.phase_rad[order]) + math.pi) % (2 * math.pi) - math.pi
    of_pair = pair[order][1:][same]
    passed_s, shift = np.diff(reads.time_s[order])[same], np.diff(reads.rssi_dbm[order])[same]
    turn = turn[same]
    return [
        ReadSteps(
            passed_s[of_pair == one],
            turn[of_pair == one],
            shift[of_pair == one],
            float(np.median(reads.rssi_dbm[pair == one])),
        )
        for one in np.unique(of_pair)
    ]


def still_values(tables: Iterable[ReadTable]) -> dict[str, list[float]]:
    """Noise by level, and how far phases are when a channel comes again."""
    found: dict[str, list[float]] = defaultdict(list)
    for table in tables:
        for one in stretches(table):
            near = one.passed_s <= MAX_STEP_S
            band = [f"{low:g} to {high:g} dBm" for low, high in BANDS_DBM if low <= one.level_dbm < high]
            if band and near.sum() >= MIN_STEPS:
                found[f"still, phase noise rad, {band[0]}"].append(
                    float(np.median(np.abs(one.turn_rad[near])) * TO_SD)
                )
                found[f"still, RSSI noise dB, {band[0]}"].append(
                    float(one.shift_db[near].std() / math.sqrt(2))
                )
            again = one.passed_s >= AGAIN_S
            if again.sum() >= MIN_STEPS:
                found["still, channel again, phase rad"].append(
                    float(np.median(np.abs(one.turn_rad[again])) * TO_SD)
                )
    return found


def moved_values(tables: Iterable[ReadTable], name: str = "moved") -> dict[str, list[float]]:
    """Phase steps and turn ratios of moving tags."""
    found: dict[str, list[float]] = defaultdict(list)
    for table in tables:
        for one in stretches(table):
            near = one.passed_s <= MAX_STEP_S
            if near.sum() < MIN_MOVED:
                continue
            turn, shift = (float(np.sqrt((step[near] ** 2).mean())) for step in (one.turn_rad, one.shift_db))
            found[f"{name}, phase step rad"].append(turn)
            found[f"{name}, turn ratio"].append(8.69 * turn / max(shift, 0.1))
    return found


def _while_handled(recording: WorldRecording) -> ReadTable:
    """Reads of tags in hands only; each handling is a tag of its own."""
    reads, parts = recording.reads, []
    for number, one in enumerate(recording.handlings):
        inside = (reads.epc == one.epc) & (reads.time_s >= one.start_s) & (reads.time_s <= one.end_s)
        part = reads.take(inside)
        parts.append(
            ReadTable(
                part.time_s,
                np.full(len(part), f"{number:04x}"),
                part.antenna,
                part.channel,
                part.rssi_dbm,
                part.phase_rad,
            )
        )
    return ReadTable.concatenate(parts)


def quantities(source: str, values: dict[str, list[float]]) -> list[Quantity]:
    rows = []
    for name, found in sorted(values.items()):
        if len(found) >= MIN_STRETCHES:
            median, p10, p90 = (round(float(value), 3) for value in np.quantile(found, (0.5, 0.1, 0.9)))
            rows.append(Quantity(name, source, median, p10, p90, len(found)))
    return rows


def of_world(world: str) -> list[Quantity]:
    """What one world's stores look like through the readers that training draws."""
    stores = [disturbed(simulate(world, FIRST_SEED + number, SECONDS), number) for number in range(STORES)]
    found = still_values(store.still for store in stores)
    moved = moved_values(_while_handled(store) for store in stores)
    return quantities(world, {**found, **moved})


def of_worn() -> list[Quantity]:
    """Tags on people who walk, stand or move their arms, in the scenes of worn tags that training makes."""
    scenes = [disturbed(SCENES["worn"](FIRST_SEED + number), number) for number in range(STORES)]
    return quantities("worn scenes", moved_values(chain(*map(_in_pieces, scenes)), "worn"))


def _in_pieces(scene: WorldRecording) -> list[ReadTable]:
    """Reads of the tags that move at all, in pieces as long as the real recordings of worn tags."""
    reads = scene.reads.take(np.isin(scene.reads.epc, [one.epc for one in scene.handlings]))
    piece = np.floor(reads.time_s / PIECE_S)
    return [reads.take(piece == number) for number in np.unique(piece).tolist()]


def of_real(data: Path) -> list[Quantity]:
    """The same of the real sets."""
    locate = data / "rfid-r420-locate"
    still = [
        still_part(load_locate(path))
        for name in ("Test12", "Test13")
        for path in sorted((locate / name).glob("*.csv"))
    ]
    moved = [load_locate(path) for path in sorted((locate / "MovementTesting").rglob("*.csv"))]
    worn = [
        load_rda(path)
        for path in sorted((data / "rfid-cwnu-rda").glob("*/*.txt"))
        if int(path.stem.rsplit("_")[-1]) in WALK_LABELS
    ]
    gestures = [load_gesture(path) for path in sorted((data / "rfid-body-gestures").rglob("*.csv"))[::10]]
    return [
        *quantities("r420-locate", still_values(still)),
        *quantities("r420-locate, carried", moved_values(moved)),
        *quantities("cwnu-rda, worn, walking", moved_values(worn)),
        *quantities("cwnu-rda, worn, walking", moved_values(worn, "worn")),
        *quantities("body-gestures, worn", moved_values(gestures, "worn")),
    ]


@dataclass(frozen=True)
class Misfit:
    """A real median outside what a world's stretches span."""

    world: str
    real: Quantity
    simulated: Quantity

    @property
    def given(self) -> bool:
        """Whether the world is somebody else's model, so that this is no fault of ours."""
        return self.world in GIVEN


def misfits(real: list[Quantity], simulated: list[Quantity]) -> list[Misfit]:
    """Real medians outside the tenth to ninetieth percentile of a world."""
    return [
        Misfit(mine.source, one, mine)
        for one in real
        for mine in simulated
        if mine.name == one.name and not mine.p10 <= one.median <= mine.p90
    ]


def realism(data: Path | None) -> tuple[list[Quantity], list[Misfit]]:
    """Real quantities (none without data) and those of every world, and where they do not fit."""
    real = of_real(data) if data is not None else []
    simulated = [one for world in WORLDS if not unavailable(world) for one in of_world(world)]
    simulated += of_worn()
    return [*real, *simulated], misfits(real, simulated)
