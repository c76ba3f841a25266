"""A simulated store's reads without a network, as fast as they can be computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rfid_reader.reads import CaptureFile
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.scenarios.files import ScenarioFile
from rfid_reader.simulator.world import World

STEP_S = 10.0


def write_simulated_reads(
    source: ScenarioFile,
    path: Path,
    seconds: float,
    epoch: float,
    seed: int | None,
    on_flip: Callable[[TrueFlip, float], None],
) -> int:
    """Write `seconds` of a scenario's reads to a read table, scenario time 0 at `epoch`; returns the rows."""
    world = World(source, seed)
    setup = world.setup()
    with CaptureFile(path) as file:
        until_s = 0.0
        while until_s < seconds:
            until_s = min(until_s + STEP_S, seconds)
            reads = world.reads(until_s, setup)
            file.write(replace(reads, time_s=reads.time_s + epoch))
            for flip in world.finished_flips(until_s):
                on_flip(flip, epoch)
    return file.rows
