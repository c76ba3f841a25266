"""From what a detector found in the films of a scene to facts: the product's own trackers, flip detector and
store, fed as their processes feed them, without processes and faster than time.

Times are seconds from the beginning of the films. A busy machine looks at fewer frames, and later.
The same scene and machine give the same facts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from bench.vision.staged.films import FilmLook
from contract.facts import Fact
from engines.scene.courses import Trajectory
from engines.scene.spec import Scene
from engines.scene.truth import courses
from rfid_reader.antenna_calibration import load_calibration
from rfid_reader.simulator.scenarios.files import load_scenario
from rfid_reader.simulator.world import World
from rfid_reader.tuned_detector import detector_for
from runtime.config import Camera, StoreConfig, load
from runtime.config.cameras import image_to_floor
from runtime.demo.plaza import calibrate_quiet
from runtime.demo.score import Paths, PlayedFlip
from runtime.demo.staging import scenario_of, store_of, write_paths
from runtime.messages import PersonsSeen, TagFlip
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import FloorPlan
from runtime.vision.records import persons_seen, seen_before
from runtime.vision.track import CameraView, FloorTracker, SceneWatch, TrackerSettings

READS_EVERY_S, TURN_S = 0.25, 0.1
SETTLE_S = 8.0
"""After the films' end, so that what was seen is judged."""
READER = "ceiling"


@dataclass(frozen=True)
class BusyMachine:
    """How a machine keeps up: the share of frames it looks at, and how long after a frame its record comes
    (shortest and longest, seconds)."""

    keep: float = 1.0
    late_s: tuple[float, float] = (0.05, 0.15)
    seed: int = 0


@dataclass(frozen=True)
class Staged:
    """A scene, made ready for the product: its store, its walkers, its tags' flips (when told, what), and the
    flips that are true."""

    scene: Scene
    everybody: Sequence[Trajectory]
    config: StoreConfig
    paths: Paths
    flips: Sequence[tuple[float, TagFlip]]
    truth: Sequence[PlayedFlip]


def stage(scene: Scene, films: dict[str, Path], turns: int = 1) -> Staged:
    """Simulate the reader over `turns` of the films, and let the flip detector judge its reads."""
    everybody = courses(scene)
    with TemporaryDirectory() as made:
        folder = Path(made)
        scenario = folder / "scenario.yaml"
        scenario.write_text(yaml.safe_dump(scenario_of(scene, everybody), sort_keys=False))
        calibrate_quiet(folder, scenario)
        store = store_of(scene, {name: f"file:{film.resolve()}" for name, film in films.items()})
        store["readers"][0]["calibration"] = str(folder / "antennas.yaml")
        store["state_dir"] = str(folder)
        store["uplink"] = {"host": "127.0.0.1", "trust_broker": True}
        (folder / "store.yaml").write_text(yaml.safe_dump(store))
        write_paths(scene, everybody, folder / "paths.csv")
        flips, truth = _flips(scenario, folder / "antennas.yaml", scene.seconds, turns * scene.seconds)
        paths = Paths(folder / "paths.csv", scene.seconds)
        return Staged(scene, everybody, load(folder / "store.yaml"), paths, flips, truth)


def _flips(
    scenario: Path, calibration: Path, period_s: float, seconds: float
) -> tuple[list[tuple[float, TagFlip]], list[PlayedFlip]]:
    """Flips with the time at which they are told, and the true ones. The reader has been there for a period
    when the films begin, as in a shop that does not open with them."""
    world, detector = (
        World(load_scenario(scenario)),
        detector_for("production", load_calibration(calibration)),
    )
    setup, told, true = world.setup(), list[tuple[float, TagFlip]](), list[PlayedFlip]()
    for at_s in np.arange(READS_EVERY_S, period_s + seconds + SETTLE_S, READS_EVERY_S).tolist():
        told += [
            (
                at_s - period_s,
                TagFlip(
                    READER, each.antenna, each.epc, each.start_s - period_s, each.end_s - period_s, each.score
                ),
            )
            for each in (*detector.feed(world.reads(at_s, setup)), *detector.advance(at_s))
        ]
        true += [
            PlayedFlip(each.epc, each.start_s - period_s, each.end_s - period_s, each.person or "")
            for each in world.finished_flips(at_s)
        ]
    return (
        [each for each in told if each[1].start_s >= 0 and each[1].end_s <= seconds],
        [each for each in true if each.start_s >= 0 and each.end_s <= seconds],
    )


def sights(
    staged: Staged, looks: dict[str, list[FilmLook]], machine: BusyMachine, turns: int = 1
) -> list[tuple[float, PersonsSeen]]:
    """What the cameras' trackers tell, with the time at which the store hears it."""
    told: list[tuple[float, PersonsSeen]] = []
    for number, camera in enumerate(staged.config.cameras):
        rng = np.random.default_rng([machine.seed, number])
        heard_s, first_id = 0.0, 0
        for turn in range(turns):
            records, first_id = _turn(staged, camera, looks[camera.name], machine, rng, turn, first_id)
            for taken_s, record in records:
                heard_s = max(heard_s, taken_s + float(rng.uniform(*machine.late_s)))
                told.append((heard_s, record))
    return sorted(told, key=lambda each: each[0])


def _turn(
    staged: Staged,
    camera: Camera,
    looks: Sequence[FilmLook],
    machine: BusyMachine,
    rng: np.random.Generator,
    turn: int,
    first_id: int,
) -> tuple[list[tuple[float, PersonsSeen]], int]:
    """One turn of one film: records with when their frame was taken, and the first id that is free."""
    width, height = camera.image_size or (640, 384)
    view = CameraView(width, height, image_to_floor(camera, (width, height)))
    watch = SceneWatch(FloorTracker(TrackerSettings(), view))
    every = max(1, round(staged.scene.fps / camera.analysis_fps))
    records: list[tuple[float, PersonsSeen]] = []
    highest, alive, last = 0, set[int](), (0, 0.0)
    for number, look in enumerate(looks):
        if number % every or rng.random() > machine.keep:
            continue
        time_s = turn * staged.scene.seconds + look.time_s
        if watch.wants(look.grey, time_s):
            tracks = watch.see(look.grey, look.boxes, look.scores, time_s)
        else:
            tracks = watch.follow(time_s)
        told = persons_seen(camera.name, number, time_s, tracks, watch.ended, first_id)
        records += [(time_s, each) for each in (*seen_before(camera.name, number, tracks, first_id), told)]
        alive = {track.id for track in tracks if track.id is not None}
        highest, last = max([highest, *alive]), (number, time_s)
    if alive:
        records.append((last[1], persons_seen(camera.name, *last, (), sorted(alive), first_id)))
    return records, first_id + highest


def facts(
    staged: Staged,
    seen: Iterable[tuple[float, PersonsSeen]],
    turns: int = 1,
) -> list[Fact]:
    """What the store concludes, in the order in which it is told."""
    numbers = itertools.count(1)
    behaviour = Behaviour(FloorPlan.from_config(staged.config), 0.0, lambda: f"v{next(numbers):04d}")
    end_s = turns * staged.scene.seconds + SETTLE_S
    news: list[tuple[float, PersonsSeen | TagFlip]] = sorted([*seen, *staged.flips], key=_heard_s)
    told: list[Fact] = []
    turned_s = 0.0
    for heard_s, record in news:
        while turned_s + TURN_S <= heard_s:
            turned_s += TURN_S
            told += behaviour.advance(turned_s)
        told += behaviour.flip(record) if isinstance(record, TagFlip) else behaviour.persons(record)
    while turned_s < end_s:
        turned_s += TURN_S
        told += behaviour.advance(turned_s)
    return [*told, *behaviour.finish(end_s)]


def _heard_s(news: tuple[float, PersonsSeen | TagFlip]) -> float:
    return news[0]
