"""`tagsight bench crowd`: many people in one frame, through the tracker and the store's core.

People wander over a floor of 20 x 20 m before a camera that sees all of it; one in a hundred gets a new track
number in any frame, and half-way the camera is out for a second, after which everybody has a new number: the
worst moment there is for finding out who is who. Figures are CPU time a frame on one core.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.vision.scenes import SimulatedCamera
from runtime.config import Intervals
from runtime.geometry import Floats
from runtime.messages import Person, PersonsSeen
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import EntranceLine, FloorPlan, FloorZone
from runtime.vision.track import FloorTracker, TrackerSettings

HALF_M = 10.0
FPS = 10.0
OUTAGE_S = 1.0
NEW_NUMBER_SHARE = 0.01
PLACE_ERROR_M, BOX_ERROR_PX = 0.07, 1.5
BEGIN_S = 1_000_000_000.0
MIB = 2**20
CAMERA = SimulatedCamera(at=(0.0, -24.0, 16.0), aim=(0.0, 0.0), size_px=(3840, 2160), focal_px=3000.0)
PLAN = FloorPlan(
    extent_m=(-HALF_M, -HALF_M, HALF_M, HALF_M),
    cameras=("hall",),
    entrances=(
        EntranceLine("door", ((-1.5, -8.0), (1.5, -8.0)), (0.0, 0.0)),
        EntranceLine("passage", ((-8.0, 3.0), (-8.0, 7.0)), (0.0, 5.0)),
    ),
    zones=tuple(
        FloorZone(f"zone {x:g} {y:g}", ((x, y), (x + 5, y), (x + 5, y + 4), (x, y + 4)))
        for x, y in itertools.product(np.arange(-10.0, 10.0, 5.0), np.arange(-10.0, 10.0, 4.0))
    ),
    intervals=Intervals(footfall_s=10.0, heatmap_s=10.0, flow_s=10.0),
)


class CrowdFigures(msgspec.Struct, frozen=True):
    """Milliseconds of one core a frame; `worst_ms` is the dearest frame after the outage, of the store.

    `carried_fps`: frames a second that one core does. `grown_mb`: memory more at the end than after a third.
    `people_tracked`: in the last frame.
    """

    people: int
    people_tracked: int
    tracker_ms: float
    store_ms: float
    worst_ms: float
    carried_fps: float
    grown_mb: float


def wander(rng: np.random.Generator, people: int, frames: int) -> Iterator[Floats]:
    """Places (people, 2) in metres, frame by frame: walking, turning slowly, turning back at the walls."""
    places = rng.uniform(-HALF_M + 0.5, HALF_M - 0.5, (people, 2))
    speeds = rng.normal(0.0, 0.7, (people, 2))
    for _ in range(frames):
        speeds += rng.normal(0.0, 0.05, (people, 2))
        speeds[(np.abs(places) > HALF_M - 0.3) & (np.sign(places) == np.sign(speeds))] *= -1
        places = places + speeds / FPS
        yield places


def tracker_times_ms(people: int, seconds: float) -> tuple[Floats, int]:
    """Each frame's milliseconds in the tracker, and how many people it followed at the end."""
    rng = np.random.default_rng(people)
    tracker = FloorTracker(TrackerSettings(), CAMERA.view)
    times_ms, tracks = [], []
    for number, places in enumerate(wander(rng, people, round(seconds * FPS))):
        found = [box for x, y in places if (box := CAMERA.box((x, y))) is not None]
        boxes = np.array(found) + rng.normal(0.0, BOX_ERROR_PX, (len(found), 4))
        begun_s = time.process_time()
        tracks = tracker.update(boxes, np.full(len(boxes), 0.8), number / FPS)
        times_ms.append((time.process_time() - begun_s) * 1e3)
    return np.array(times_ms), sum(track.confirmed for track in tracks)


def records(people: int, seconds: float) -> Iterator[tuple[PersonsSeen, bool]]:
    """What the store is told, and whether the outage is over since less than two seconds."""
    rng = np.random.default_rng(people)
    numbers, fresh = np.arange(people), itertools.count(people)
    frames = round(seconds * FPS)
    out = range(frames // 2, frames // 2 + round(OUTAGE_S * FPS))
    for sequence, places in enumerate(wander(rng, people, frames)):
        if sequence == out.start:
            numbers = np.array([next(fresh) for _ in numbers])
        if sequence in out:
            continue
        for place in (rng.random(people) < NEW_NUMBER_SHARE).nonzero()[0]:
            numbers[place] = next(fresh)
        told = places + rng.normal(0.0, PLACE_ERROR_M, (people, 2))
        persons = tuple(
            Person(int(number), (0.0, 0.0, 1.0, 2.0), 0.9, (float(x), float(y)))
            for number, (x, y) in zip(numbers, told, strict=True)
        )
        record = PersonsSeen("hall", sequence, BEGIN_S + sequence / FPS, persons)
        yield record, 0 <= sequence - out.stop < 2 * FPS


def store_times_ms(people: int, seconds: float) -> tuple[Floats, float, float]:
    """Each frame's milliseconds in the store's core, the worst after the outage, and MB it grew by."""
    tokens = itertools.count()
    behaviour = Behaviour(PLAN, BEGIN_S, lambda: f"v{next(tokens)}")
    times_ms, worst_ms, after_a_third_mb = [], 0.0, 0.0
    for record, after_outage in records(people, seconds):
        begun_s = time.process_time()
        behaviour.persons(record)
        times_ms.append((time.process_time() - begun_s) * 1e3)
        if after_outage:
            worst_ms = max(worst_ms, times_ms[-1])
        if record.sequence == round(seconds * FPS / 3):
            after_a_third_mb = _resident_mb()
    return np.array(times_ms), worst_ms, _resident_mb() - after_a_third_mb


def figures(people: int, seconds: float) -> CrowdFigures:
    """All that is printed about a crowd of that size."""
    tracker_ms, followed = tracker_times_ms(people, seconds)
    store_ms, worst_ms, grown_mb = store_times_ms(people, seconds)
    mean_ms = float(tracker_ms.mean() + store_ms.mean())
    return CrowdFigures(
        people=people,
        people_tracked=followed,
        tracker_ms=round(float(np.median(tracker_ms)), 2),
        store_ms=round(float(np.median(store_ms)), 2),
        worst_ms=round(worst_ms, 1),
        carried_fps=round(1e3 / mean_ms, 1),
        grown_mb=round(grown_mb, 1),
    )


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / MIB


@click.command()
@click.option(
    "--people",
    multiple=True,
    type=click.IntRange(1, 250),
    default=(10, 50, 100, 200),
    show_default=True,
    help="Crowds of so many people; repeatable.",
)
@click.option(
    "--seconds", type=click.FloatRange(6, 3600), default=40.0, show_default=True, help="Each crowd."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def crowd(people: tuple[int, ...], seconds: float, as_json: bool) -> None:
    """Many people in one frame: tracker and store, time a frame and memory.

    \b
    Example:
      tagsight bench crowd --people 100 --json
    """
    found = [figures(each, seconds) for each in people]
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    table = Table(title=f"{FPS:g} frames a second for {seconds:g} s, one core")
    for name in ("people", "followed", "tracker ms", "store ms", "worst ms", "frames/s", "grown MB"):
        table.add_column(name, justify="right")
    for each in found:
        table.add_row(*(f"{value:g}" for value in msgspec.structs.astuple(each)))
    Console().print(table)
