"""What happens in a scene: who passes which door when, who stands in which zone, who handles which
garment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.scene.courses import GRASP_S, Trajectory
from engines.scene.spec import Browse, Door, Point, Scene, ScenePerson, Turn

STEP_S = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Passage:
    """Somebody passes a door's counting line."""

    person: str
    door: str
    direction: str
    time_s: float


@dataclass(frozen=True)
class Stay:
    """Somebody is in a zone from `enter_s` to `leave_s`."""

    person: str
    zone: str
    enter_s: float
    leave_s: float


@dataclass(frozen=True)
class Handled:
    """A garment is out of its place in somebody's hand; `garment` counts from 1 on the rack."""

    person: str
    rack: str
    garment: int
    epc: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Contact:
    """A hand is at a rack: `how` is browse or turn."""

    person: str
    rack: str
    hand: str
    how: str
    start_s: float
    end_s: float


def door_line(scene: Scene, door: Door) -> tuple[Point, Point, Point]:
    """The counting line's two ends and a point on the inner side, floor metres."""
    width, depth = scene.room.size_m
    inn, far = door.line_inside_m, door.line_inside_m + 1.5
    a, b = door.from_m - 0.25, door.to_m + 0.25
    middle = (a + b) / 2
    ends: dict[str, tuple[Point, Point, Point]] = {
        "front": ((a, inn), (b, inn), (middle, far)),
        "back": ((a, depth - inn), (b, depth - inn), (middle, depth - far)),
        "left": ((inn, a), (inn, b), (far, middle)),
        "right": ((width - inn, a), (width - inn, b), (width - far, middle)),
    }
    return ends[door.wall]


def courses(scene: Scene) -> list[Trajectory]:
    """Every person's course, in the order of the scene."""
    return [Trajectory(scene, person) for person in scene.people]


def handled(scene: Scene, everybody: Sequence[Trajectory]) -> list[Handled]:
    """Every garment taken, in order of time."""
    found = [
        Handled(
            course.person.name,
            act.rack,
            act.garment,
            (scene.rack(act.rack).epcs() or [""] * act.garment)[act.garment - 1],
            start_s + GRASP_S,
            end_s - GRASP_S,
        )
        for course in everybody
        for start_s, end_s, act in course.acts()
        if isinstance(act, Turn)
    ]
    return sorted(found, key=lambda one: (one.start_s, one.person))


def contacts(scene: Scene, everybody: Sequence[Trajectory]) -> list[Contact]:
    """Every hand at a rack, in order of time."""
    found = []
    for course in everybody:
        for start_s, end_s, act in course.acts():
            if isinstance(act, Browse | Turn) and end_s - start_s > 2 * GRASP_S:
                how = "turn" if isinstance(act, Turn) else "browse"
                found.append(
                    Contact(course.person.name, act.rack, act.hand, how, start_s + GRASP_S, end_s - GRASP_S)
                )
    return sorted(found, key=lambda one: (one.start_s, one.person))


def track(course: Trajectory, step_s: float = STEP_S) -> Floats:
    """Times and places (n, 3): seconds, x, y."""
    times = np.arange(course.start_s, course.end_s, step_s)
    places = [course.at(float(time_s)) for time_s in times]
    return np.array([(t, *one.xy_m) for t, one in zip(times, places, strict=True) if one is not None])


def inside(scene: Scene, course: Trajectory) -> list[float]:
    """The moments, every `STEP_S` within the scene's time, at which somebody is in the room."""
    way = _within(track(course), scene.seconds)
    width, depth = scene.room.size_m
    there = (way[:, 1:] > 0).all(axis=1) & (way[:, 1] < width) & (way[:, 2] < depth)
    return [round(time_s, 3) for time_s in way[there, 0].tolist()]


def passages(scene: Scene, everybody: Sequence[Trajectory]) -> list[Passage]:
    """Every passage of a door's line within the scene's time."""
    found = []
    for course in everybody:
        way = _within(track(course), scene.seconds)
        for door in scene.doors:
            a, b, inside = (np.asarray(point) for point in door_line(scene, door))
            along, sign = (b - a) / np.linalg.norm(b - a), np.sign(_side(inside[None], a, b)[0])
            side = sign * _side(way[:, 1:], a, b)
            on = (way[:, 1:] - a) @ along
            for n in np.flatnonzero((side[1:] > 0) != (side[:-1] > 0)):
                if 0 <= on[n] <= np.linalg.norm(b - a):
                    direction = "in" if side[n + 1] > 0 else "out"
                    found.append(Passage(course.person.name, door.name, direction, float(way[n + 1, 0])))
    return sorted(found, key=lambda one: one.time_s)


def stays(scene: Scene, everybody: Sequence[Trajectory]) -> list[Stay]:
    """Every time in a zone."""
    found = []
    for course in everybody:
        way = _within(track(course), scene.seconds)
        for zone in scene.zones:
            inside = _contains(np.asarray(zone.polygon, np.float64), way[:, 1:])
            edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
            for first, after in zip(edges[::2], edges[1::2], strict=True):
                found.append(
                    Stay(course.person.name, zone.name, float(way[first, 0]), float(way[after - 1, 0]))
                )
    return sorted(found, key=lambda one: (one.enter_s, one.person))


def kinds(person: ScenePerson) -> list[str]:
    """The groups a person belongs to, by which accuracy is told."""
    years = person.look.years
    named = {
        "child": years is not None and years < 13,
        "headscarf": person.look.headscarf,
        "dark": person.look.dark,
        person.uses: person.uses != "nothing",
    }
    return [name for name, there in named.items() if there] or ["adult"]


def _within(way: Floats, seconds: float) -> Floats:
    return way[way[:, 0] <= seconds] if len(way) else np.zeros((0, 3))


def _side(points: Floats, a: Floats, b: Floats) -> Floats:
    along, away = b - a, points - a
    return np.asarray(along[0] * away[:, 1] - along[1] * away[:, 0])


def _contains(polygon: Floats, points: Floats) -> NDArray[np.bool_]:
    """Even-odd rule."""
    x, y = points[:, :1], points[:, 1:]
    ax, ay = polygon[:, 0], polygon[:, 1]
    bx, by = np.roll(ax, -1), np.roll(ay, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        across = ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    return np.asarray(across.sum(1) % 2 == 1)
