"""Scripted people at an entrance with a known count, told by perfect tracks and through the real tracker."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from bench.vision.scenes import SimulatedCamera, SimulatedDetector, SimulatedWalk, tracked, watched
from contract.facts import Footfall
from runtime.config import Intervals
from runtime.messages import Person, PersonsSeen
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import EntranceLine, FloorPlan
from runtime.vision.track import FloorTracker, SceneWatch, TrackerSettings

DOOR = EntranceLine("door", ((-1.5, 0.0), (1.5, 0.0)), inside=(0.0, 3.0))
PLAN = FloorPlan(
    extent_m=(-8.0, -6.0, 8.0, 10.0),
    cameras=("cam",),
    entrances=(DOOR,),
    intervals=Intervals(footfall_s=60.0, heatmap_s=60.0, flow_s=60.0),
)
FACING = SimulatedCamera(at=(0.0, 9.0, 4.0), aim=(0.0, 0.5))
"""Looks at the door from inside, with the street behind it."""
ABOVE = SimulatedCamera(at=(0.0, -0.6, 3.2), aim=(0.0, 2.6), focal_px=520.0)
"""Hangs over the door and looks in: the line runs along the picture's lower edge."""
SLANTED = SimulatedCamera(at=(5.0, 7.0, 4.0), aim=(0.0, 0.8))
"""Sees people who come in one behind the other beside each other."""
BEGIN_S = 1_000_000_020.0
"""A multiple of the interval, so that scenes fall in one."""


@dataclass(frozen=True)
class Scene:
    walks: tuple[SimulatedWalk, ...]
    entered: int
    left: int
    fps: float = 10.0
    uneven: bool = False
    dropped: tuple[tuple[float, float], ...] = ()
    broken: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """Person -> moments at which the perfect tracks give them a new number."""
    switched_s: float | None = None
    """When the perfect tracks switch the numbers of the first two persons."""
    camera: SimulatedCamera = FACING

    def times_s(self) -> list[float]:
        end_s = max(walk.waypoints[-1][0] for walk in self.walks) + 1.0
        rng = np.random.default_rng(7)
        points = rng.uniform(0.4, 1.6, 10_000) if self.uneven else np.ones(10_000)
        times = np.cumsum(points) / self.fps
        return [float(t) for t in times if t < end_s and not any(a <= t < b for a, b in self.dropped)]


def walk(
    *waypoints: tuple[float, float, float], hidden: tuple[tuple[float, float], ...] = ()
) -> SimulatedWalk:
    return SimulatedWalk(waypoints, hidden)


def straight(
    start: tuple[float, float], end: tuple[float, float], speed: float = 1.2, at_s: float = 1.5
) -> SimulatedWalk:
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    return walk((at_s, *start), (at_s + length / speed, *end))


def linger(seconds: float, x: float = 0.0) -> list[tuple[float, float, float]]:
    """Shifting one's weight on the line: up to 12 cm to either side, twice a second."""
    return [(5.0 + k / 2, x + 0.1 * np.sin(k), 0.12 * (-1.0) ** k) for k in range(1, int(2 * seconds))]


IN = straight((0.2, -4.0), (0.2, 5.0))
OUT = straight((-0.3, 5.0), (-0.3, -4.0))

SCENES = {
    # one person each way: the plain case
    "walks in": Scene((IN,), 1, 0),
    "walks out": Scene((OUT,), 0, 1),
    # stands on the line, swaying across it, then goes on: one crossing, not twenty
    "jitter on the line, then in": Scene(
        (walk((1.5, 0.0, -4.0), (5.0, 0.0, 0.0), *linger(10), (16.0, 0.0, 0.0), (20.0, 0.0, 5.0)),), 1, 0
    ),
    # stands on the line, then goes back where they came from
    "lingers, then back": Scene(
        (walk((1.5, 0.0, -4.0), (5.0, 0.0, 0.0), *linger(10), (16.0, 0.0, 0.0), (20.0, 0.0, -4.0)),), 0, 0
    ),
    # stands half a metre inside for long, and never crosses
    "lingers inside": Scene(
        (walk((1.5, 0.0, 5.0), (5.0, 0.3, 0.6), (25.0, -0.3, 0.6), (29.0, 0.0, 5.0)),), 0, 0
    ),
    # turns on the threshold, a hand's width before the line
    "u-turn before the line": Scene((walk((1.5, 0.0, -4.0), (5.0, 0.0, -0.1), (9.0, 0.5, -4.0)),), 0, 0),
    # goes in, looks round and leaves: both count
    "u-turn inside": Scene((walk((1.5, 0.0, -4.0), (6.0, 0.0, 1.6), (10.5, 0.5, -4.0)),), 1, 1),
    "two side by side": Scene(
        (straight((-0.45, -4.0), (-0.45, 5.0)), straight((0.45, -4.0), (0.45, 5.0))), 2, 0
    ),
    # they meet in the door, half a metre apart
    "one in, one out": Scene((straight((0.5, -4.0), (0.5, 5.0)), straight((-0.5, 4.0), (-0.5, -4.5))), 1, 1),
    # 6 m/s at 5 frames a second: over a metre from frame to frame
    "fast person": Scene((straight((0.0, -5.0), (0.0, 6.0), speed=3.5),), 1, 0, fps=5.0),
    "runner between two frames": Scene((straight((0.0, -5.5), (0.0, 7.0), speed=5.0),), 1, 0, fps=7.0),
    # the line is the lower edge of the picture: tracks begin and end on it
    "in at the picture's edge": Scene((straight((0.1, -3.0), (0.1, 6.0)),), 1, 0, camera=ABOVE),
    "out at the picture's edge": Scene((straight((0.1, 6.0), (0.1, -3.0)),), 0, 1, camera=ABOVE),
    "in and out again at the edge": Scene(
        (walk((1.5, 0.1, -3.0), (8.0, 0.1, 4.8), (12.0, 0.4, 4.8), (18.5, 0.4, -3.0)),), 1, 1, camera=ABOVE
    ),
    # comes close to the edge from inside, stands, and goes back
    "visits the edge": Scene(
        (walk((1.5, 0.0, 6.0), (6.0, 0.0, 0.9), (12.0, 0.2, 0.9), (16.5, 0.0, 6.0)),), 0, 0, camera=ABOVE
    ),
    # 0.9 s without a frame, in the middle of the crossing
    "dropped frames on the line": Scene((IN,), 1, 0, dropped=((4.4, 5.3),)),
    "every other second dropped": Scene((IN,), 1, 0, dropped=tuple((k + 0.5, k + 1.0) for k in range(1, 12))),
    # the tracker gives the person a new number on the line, and once more a second later
    "id switch on the line": Scene((IN,), 1, 0, broken={0: (4.8,)}),
    "id switches around the line": Scene((OUT,), 0, 1, broken={0: (5.3, 5.7, 6.1)}),
    "id switch before the line": Scene((IN,), 1, 0, broken={0: (4.3,)}),
    # something hides the person on the line: lost on one side, found on the other
    "lost on the line and found again": Scene(
        (walk((1.5, 0.2, -4.0), (9.0, 0.2, 5.0), hidden=((4.3, 5.8),)),), 1, 0, broken={0: (5.0,)}
    ),
    # two pass each other in the door, and from there on each has the other's number
    "ids switched on the line": Scene(
        (straight((0.25, -4.0), (0.25, 5.0)), straight((-0.25, 4.0), (-0.25, -4.5))), 1, 1, switched_s=4.85
    ),
    # two meet at the door and one of them turns back: nobody is taken for the other
    "one in, one turns back": Scene(
        (
            straight((0.25, -4.0), (0.25, 5.0)),
            walk((1.5, -0.3, 5.0), (5.0, -0.3, 0.7), (5.8, -0.3, 0.7), (9.5, -0.3, 5.0)),
        ), 1, 0,
    ),
    # hidden for longer than any tracker waits: the way they went is all there is
    "lost on the line for long": Scene(
        (walk((1.5, 0.2, -4.0), (4.5, 0.2, -0.4), (12.0, 0.2, 5.0), hidden=((4.5, 11.0),)),), 1, 0,
        broken={0: (8.0,)},
    ),
    "5 fps": Scene((IN, straight((-0.6, 5.0), (-0.6, -4.0), at_s=6.0)), 1, 1, fps=5.0),
    "15 fps": Scene((IN, straight((-0.6, 5.0), (-0.6, -4.0), at_s=6.0)), 1, 1, fps=15.0),
    "uneven fps": Scene((IN, straight((-0.6, 5.0), (-0.6, -4.0), at_s=6.0)), 1, 1, fps=8.0, uneven=True),
    # slantwise through the door
    "diagonal": Scene((straight((-3.0, -3.0), (4.0, 4.0)),), 1, 0),
    # along the threshold, a little outside, then away
    "along the line": Scene(
        (walk((1.5, -4.0, -1.5), (4.0, -1.4, -0.15), (7.0, 1.4, -0.15), (9.0, 4.0, -1.5)),), 0, 0
    ),
    # past the door's end, across the line's extension: through the wall's opening next door
    "beyond the end": Scene((straight((2.3, -4.0), (2.3, 5.0)),), 0, 0),
    # round the end of the line, then out through the door
    "round the end, then out": Scene(
        (walk((1.5, 3.0, -3.0), (5.0, 3.0, 2.5), (7.5, 0.0, 2.5), (12.5, 0.0, -4.0)),), 0, 1
    ),
    # five people one after another, 1.4 m apart
    "a queue": Scene(
        tuple(straight((0.0, -4.0), (0.0, 6.0), at_s=1.5 + 1.2 * k) for k in range(5)), 5, 0, camera=SLANTED
    ),
    # stands there from the first frame on, right at the line
    "there from the start": Scene((walk((0.0, 0.0, 0.4), (4.0, 0.0, 0.4), (8.0, 0.0, 5.0)),), 0, 0),
}  # fmt: skip


def perfect(scene: Scene) -> Iterator[PersonsSeen]:
    """The scene as a tracker without faults but those scripted would tell it, foot points to 7 cm."""
    rng = np.random.default_rng(3)
    for sequence, time_s in enumerate(scene.times_s()):
        persons = []
        for number, each in enumerate(scene.walks):
            xy = each.at(time_s)
            whole = scene.camera.box(xy, each.height_m) if xy is not None else None
            if xy is None or whole is None or each.is_hidden(time_s):
                continue
            if scene.camera.cut(whole) is None or whole[3] > scene.camera.size_px[1]:
                continue
            body = 1 - number if scene.switched_s is not None and time_s >= scene.switched_s else number
            track = 100 * body + sum(time_s >= moment for moment in scene.broken.get(number, ()))
            left, top, right, bottom = whole.tolist()
            x_m, y_m = (np.array(xy) + rng.normal(0, 0.07, 2)).tolist()
            persons.append(Person(track, (left, top, right - left, bottom - top), 0.9, (x_m, y_m)))
        yield PersonsSeen("cam", sequence, time_s, tuple(persons))


def through_tracker(scene: Scene, seed: int) -> Iterable[PersonsSeen]:
    tracker = FloorTracker(TrackerSettings(), scene.camera.view)
    return tracked("cam", tracker, SimulatedDetector(scene.camera, seed), scene.walks, scene.times_s())


def count(records: Iterable[PersonsSeen], plan: FloorPlan = PLAN) -> tuple[int, int]:
    """Persons in and out, from the facts of the whole scene: the highest revision of each."""
    tokens = (f"v{number}" for number in itertools.count())
    behaviour = Behaviour(plan, BEGIN_S, lambda: next(tokens))
    facts, time_s = [], BEGIN_S
    for record in records:
        time_s = BEGIN_S + record.time_s
        facts += behaviour.persons(
            PersonsSeen(record.camera, record.sequence, time_s, record.persons, record.ended)
        )
    for _ in range(60):
        time_s += 0.1
        facts += behaviour.advance(time_s)
    facts += behaviour.finish(time_s)
    latest = {fact.key: fact for fact in facts if isinstance(fact, Footfall)}
    return sum(fact.entered for fact in latest.values()), sum(fact.left for fact in latest.values())


@pytest.mark.parametrize("name", SCENES)
def test_perfect_tracks_are_counted_exactly(name: str) -> None:
    scene = SCENES[name]
    assert count(perfect(scene)) == (scene.entered, scene.left)


@pytest.mark.parametrize("fps", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("name", ["walks in", "walks out", "two side by side", "one in, one out", "a queue"])
def test_a_starved_camera_s_people_are_counted_and_not_taken_for_each_other(name: str, fps: float) -> None:
    scene = replace(SCENES[name], fps=fps)
    assert count(perfect(scene)) == (scene.entered, scene.left)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", SCENES)
def test_people_before_a_camera_are_counted_exactly(name: str, seed: int) -> None:
    scene = SCENES[name]
    assert count(through_tracker(scene, seed)) == (scene.entered, scene.left)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if place % 4 else []) for place, name in enumerate(SCENES)],
)
def test_people_who_are_followed_between_two_looks_are_counted_exactly(name: str) -> None:
    scene = SCENES[name]
    watch = SceneWatch(FloorTracker(TrackerSettings(), scene.camera.view))
    told = watched("cam", watch, SimulatedDetector(scene.camera, 1), scene.walks, scene.times_s())
    assert count(told) == (scene.entered, scene.left)


@pytest.mark.parametrize("fps", [5.0, 10.0, 15.0])
def test_a_person_seen_by_two_cameras_is_counted_once(fps: float) -> None:
    other = SimulatedCamera(at=(6.0, 5.0, 4.0), aim=(0.0, 0.5))
    plan = FloorPlan(PLAN.extent_m, cameras=("cam", "side"), entrances=(DOOR,), intervals=PLAN.intervals)
    scene = Scene((IN, straight((-0.6, 5.0), (-0.6, -4.0), at_s=4.0)), 1, 1, fps=fps)
    times_s = scene.times_s()
    both = [
        tracked(
            name,
            FloorTracker(TrackerSettings(), camera.view),
            SimulatedDetector(camera, seed),
            scene.walks,
            times_s,
        )
        for name, camera, seed in (("cam", FACING, 1), ("side", other, 2))
    ]
    records = sorted(itertools.chain(*both), key=lambda record: record.time_s)
    assert count(records, plan) == (1, 1)


def test_an_unconfirmed_track_never_counts() -> None:
    blip = walk((5.0, 0.0, -0.5), (5.15, 0.0, 0.5))
    tracker = FloorTracker(TrackerSettings(), FACING.view)
    times = [k / 10 for k in range(120)]
    told = list(tracked("cam", tracker, SimulatedDetector(FACING, 0, miss=0.0), [blip], times))
    assert all(not record.persons for record in told)
    assert count(told) == (0, 0)
