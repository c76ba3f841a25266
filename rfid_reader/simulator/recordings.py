"""Generated stores as material for the flip detectors: their reads, their true flips, and how found flips
compare.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rfid_reader.flips.detector import DetectedFlip
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.scenarios.files import ScenarioFile
from rfid_reader.simulator.scenarios.random_stores import generate_store
from rfid_reader.simulator.world import World

TOLERANCE_S = 1.5


@dataclass(frozen=True)
class StoreRecording:
    """Everything one simulated store's reader heard, and what really happened, in scenario seconds.

    pushes: garments that were shoved, but not taken.
    """

    name: str
    duration_s: float
    tags: int
    reads: ReadTable
    flips: list[TrueFlip]
    pushes: tuple[TrueFlip, ...] = ()

    @property
    def rate_hz(self) -> float:
        """Reads a second a tag."""
        return len(self.reads) / self.duration_s / max(self.tags, 1)


def record(source: ScenarioFile, duration_s: float, seed: int | None = None) -> StoreRecording:
    """Simulate a store for `duration_s`."""
    world = World(source, seed)
    reads = world.reads(duration_s, world.setup())
    return StoreRecording(
        source.scenario.name,
        duration_s,
        len(world.epcs),
        reads,
        world.finished_flips(duration_s),
        tuple(world.pushes(duration_s)),
    )


def record_store(seed: int, duration_s: float) -> StoreRecording:
    """A generated store, simulated."""
    return record(generate_store(seed, duration_s), duration_s)


def thinned(recording: StoreRecording, rate_hz: float, seed: int = 5) -> StoreRecording:
    """The same store with reads dropped at random until a tag is read `rate_hz` times a second on average."""
    keep = min(1.0, rate_hz / max(recording.rate_hz, 1e-9))
    chosen = np.random.default_rng(seed).random(len(recording.reads)) < keep
    return replace(recording, reads=recording.reads.take(chosen))


@dataclass(frozen=True)
class Score:
    """Found against true flips: counts, and the tag-hours watched."""

    found: int = 0
    false: int = 0
    missed: int = 0
    tag_hours: float = 0.0

    @property
    def precision(self) -> float:
        return self.found / max(self.found + self.false, 1)

    @property
    def recall(self) -> float:
        return self.found / max(self.found + self.missed, 1)

    @property
    def f1(self) -> float:
        return 2 * self.found / max(2 * self.found + self.false + self.missed, 1)

    @property
    def false_per_tag_hour(self) -> float:
        return self.false / max(self.tag_hours, 1e-9)

    def __add__(self, other: Score) -> Score:
        return Score(
            self.found + other.found,
            self.false + other.false,
            self.missed + other.missed,
            self.tag_hours + other.tag_hours,
        )


def match(found: list[DetectedFlip], recording: StoreRecording, warm_up_s: float = 0.0) -> Score:
    """One-to-one: a found flip is right if its middle lies within TOLERANCE_S of a true flip of the same tag.

    Flips (found and true) that begin in the first `warm_up_s` do not count.
    """
    true = [flip for flip in recording.flips if flip.start_s >= warm_up_s]
    guesses = sorted(
        (flip for flip in found if flip.start_s >= warm_up_s - TOLERANCE_S), key=lambda flip: -flip.score
    )
    left = list(true)
    right = false = 0
    for guess in guesses:
        middle_s = 0.5 * (guess.start_s + guess.end_s)
        near = [
            flip
            for flip in left
            if flip.epc == guess.epc and flip.start_s - TOLERANCE_S <= middle_s <= flip.end_s + TOLERANCE_S
        ]
        if near:
            left.remove(near[0])
            right += 1
        elif guess.start_s >= warm_up_s and not _early(guess, recording, warm_up_s):
            false += 1
    hours = recording.tags * (recording.duration_s - warm_up_s) / 3600
    return Score(right, false, len(left), hours)


def _early(guess: DetectedFlip, recording: StoreRecording, warm_up_s: float) -> bool:
    """Whether a guess belongs to a true flip that began in the warm-up."""
    return any(
        flip.epc == guess.epc and flip.start_s < warm_up_s and guess.start_s <= flip.end_s + TOLERANCE_S
        for flip in recording.flips
    )


def flip_mask(
    flips: list[TrueFlip], epcs: list[str], times_s: NDArray[np.float64], margin_s: float
) -> NDArray[np.int8]:
    """(tags, times): 1 inside a flip, -1 within margin_s of its edges (undecided), else 0."""
    rows = {epc: row for row, epc in enumerate(epcs)}
    mask = np.zeros((len(epcs), len(times_s)), np.int8)
    for flip in flips:
        row = rows.get(flip.epc)
        if row is None:
            continue
        around = (times_s >= flip.start_s - margin_s) & (times_s <= flip.end_s + margin_s)
        inside = (times_s >= flip.start_s) & (times_s <= flip.end_s)
        mask[row, around & ~inside & (mask[row] == 0)] = -1
        mask[row, inside] = 1
    return mask
