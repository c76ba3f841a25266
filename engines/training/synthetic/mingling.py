"""Random shops in which given people stand, walk and look at things, before cameras of all kinds of places.

For crops of many people: everybody who is named is there from the first moment on and stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from engines.scene.spec import (
    Act,
    Browse,
    Colour,
    Garments,
    PersonLook,
    Point,
    Prop,
    Room,
    Scene,
    SceneCamera,
    ScenePerson,
    SceneRack,
    Stand,
    Turn,
    Uses,
    Walk,
)
from engines.training.synthetic.standing import FLOORS

RACKS: tuple[Literal["rail", "shelf", "table"], ...] = ("rail", "rail", "rail", "shelf", "table")
ARMS: tuple[Literal["hang", "crossed", "hips", "phone", "behind"], ...] = (
    "hang",
    "hang",
    "crossed",
    "hips",
    "phone",
    "behind",
)
SECONDS = 40.0
APART_M = 0.55
AT_RACK_M = 0.62
SIZE = (640, 384)
CAMERAS = 4


def mingling_scene(seed: int, looks: Sequence[PersonLook], uses: Sequence[Uses]) -> Scene:
    """The shop of a seed with people of these looks, each carrying or pushing what `uses` says."""
    rng = np.random.default_rng([seed, 2111])
    width, depth = float(rng.uniform(6, 11)), float(rng.uniform(5, 9))
    racks = _racks(rng, width, depth)
    room = Room(
        (round(width, 2), round(depth, 2)),
        float(rng.uniform(2.7, 4.2)),
        FLOORS[rng.integers(len(FLOORS))],
        _pale(rng, 0.2, 0.85),
        _pale(rng, 0.4, 0.95),
        light=float(rng.uniform(0.55, 1.3)),
        warmth=float(rng.uniform(0, 1)),
    )
    return Scene(
        name=f"mingling-{seed}",
        seconds=SECONDS,
        room=room,
        cameras=_cameras(rng, room),
        seed=seed,
        racks=racks,
        things=_things(rng, width, depth),
        people=_people(rng, room, racks, looks, uses),
    )


def _pale(rng: np.random.Generator, low: float, high: float) -> Colour:
    red, green, blue = (rng.uniform(low, high) * rng.uniform(0.8, 1, 3)).tolist()
    return (red, green, blue)


def _racks(rng: np.random.Generator, width: float, depth: float) -> list[SceneRack]:
    racks: list[SceneRack] = []
    for _ in range(int(rng.integers(3, 9))):
        at = (round(float(rng.uniform(1.2, width - 1.2)), 2), round(float(rng.uniform(1.0, depth - 1.0)), 2))
        if any(math.dist(at, other.at) < 1.5 for other in racks):
            continue
        kind = RACKS[rng.integers(len(RACKS))]
        high = {"rail": (1.2, 1.6), "shelf": (1.2, 1.9), "table": (0.75, 0.95)}[kind]
        garments = Garments(int(rng.integers(5, 13)), seed=int(rng.integers(1 << 20)))
        racks.append(
            SceneRack(
                f"rack-{len(racks) + 1}",
                at,
                kind,
                float(rng.choice([0.0, 90.0])),
                round(float(rng.uniform(1.0, 1.8)), 2),
                round(float(rng.uniform(*high)), 2),
                garments,
            )
        )
    return racks


def _things(rng: np.random.Generator, width: float, depth: float) -> list[Prop]:
    things = []
    for _ in range(int(rng.integers(1, 4))):
        along = float(rng.uniform(0.2, 0.8))
        at, turn = (
            (((width - 0.02), depth * along), 180.0) if rng.random() < 0.5 else ((width * along, 0.02), 90.0)
        )
        size = (float(rng.uniform(0.6, 1.6)), float(rng.uniform(0.8, 1.6)))
        things.append(Prop("poster", at, turn, 0.8, size, seed=int(rng.integers(1 << 20))))
    kinds = ("mannequin", "plant", "pillar", "till", "trolley", "basket")
    for _ in range(int(rng.integers(0, 4))):
        kind = kinds[rng.integers(len(kinds))]
        place = (float(rng.uniform(0.6, width - 0.6)), float(rng.uniform(0.6, depth - 0.6)))
        things.append(Prop(kind, place, float(rng.uniform(0, 360)), seed=int(rng.integers(1 << 20))))  # type: ignore[arg-type]
    return things


def _people(
    rng: np.random.Generator,
    room: Room,
    racks: list[SceneRack],
    looks: Sequence[PersonLook],
    uses: Sequence[Uses],
) -> list[ScenePerson]:
    taken: list[Point] = []
    people = []
    for number, (look, carried) in enumerate(zip(looks, uses, strict=True), 1):
        start = _free(rng, room, racks, taken)
        faces = _anywhere(rng, room)
        acts: list[Act]
        if racks and rng.random() < 0.35:
            start, faces, acts = _at_rack(rng, racks, taken, start)
        elif rng.random() < 0.55:
            end = _free(rng, room, racks, taken)
            taken.append(end)
            acts = [
                Stand(float(rng.uniform(1, 14)), faces, ARMS[rng.integers(len(ARMS))]),
                Walk([_anywhere(rng, room), end], float(rng.uniform(0.5, 1.5))),
                Stand(SECONDS, _anywhere(rng, room), ARMS[rng.integers(len(ARMS))]),
            ]
        else:
            bends = float(rng.uniform(0.2, 0.8)) if rng.random() < 0.12 else 0.0
            acts = [
                Stand(float(rng.uniform(8, 20)), faces, ARMS[rng.integers(len(ARMS))], bends),
                Stand(SECONDS, _anywhere(rng, room), ARMS[rng.integers(len(ARMS))]),
            ]
        taken.append(start)
        people.append(ScenePerson(f"p{number}", start, acts, faces=faces, look=look, uses=carried))
    return people


def _at_rack(
    rng: np.random.Generator, racks: list[SceneRack], taken: list[Point], else_at: Point
) -> tuple[Point, Point, list[Act]]:
    """Somebody at a rack: the place, what they face, and what their hands do."""
    rack = racks[rng.integers(len(racks))]
    turn, side = math.radians(rack.heading_deg), float(rng.choice([-1, 1]))
    along = float(rng.uniform(-0.35, 0.35)) * rack.length_m
    on_rack = (rack.at[0] + math.cos(turn) * along, rack.at[1] + math.sin(turn) * along)
    place = (on_rack[0] - math.sin(turn) * side * AT_RACK_M, on_rack[1] + math.cos(turn) * side * AT_RACK_M)
    if any(math.dist(place, other) < APART_M for other in taken):
        return else_at, on_rack, [Stand(SECONDS, on_rack)]
    hand: Literal["left", "right"] = "left" if rng.random() < 0.3 else "right"
    kind = rng.random()
    if kind < 0.4:
        act: Act = Browse(rack.name, SECONDS, hand)
    elif kind < 0.7:
        near = round((along / rack.length_m + 0.5) * (rack.garments.count - 1)) + 1
        act = Turn(rack.name, int(np.clip(near, 1, rack.garments.count)), SECONDS, hand)
    else:
        act = Stand(SECONDS, on_rack, ARMS[rng.integers(len(ARMS))])
    return (round(place[0], 3), round(place[1], 3)), on_rack, [act]


def _anywhere(rng: np.random.Generator, room: Room) -> Point:
    return (
        round(float(rng.uniform(0.6, room.size_m[0] - 0.6)), 2),
        round(float(rng.uniform(0.6, room.size_m[1] - 0.6)), 2),
    )


def _free(rng: np.random.Generator, room: Room, racks: list[SceneRack], taken: list[Point]) -> Point:
    """A floor point off the racks and of everybody else, where one is found in some tries."""
    for _ in range(40):
        place = _anywhere(rng, room)
        if all(math.dist(place, other) > APART_M for other in taken) and not any(
            _on(place, rack) for rack in racks
        ):
            break
    return place


def _on(place: Point, rack: SceneRack) -> bool:
    turn = math.radians(rack.heading_deg)
    dx, dy = place[0] - rack.at[0], place[1] - rack.at[1]
    along, across = dx * math.cos(turn) + dy * math.sin(turn), dy * math.cos(turn) - dx * math.sin(turn)
    return abs(along) < rack.length_m / 2 + 0.3 and abs(across) < 0.55


def _cameras(rng: np.random.Generator, room: Room) -> list[SceneCamera]:
    """One near each corner or in the middle of a wall, high and low, wide and narrow."""
    width, depth = room.size_m
    corners = [(0.25, 0.25), (width - 0.25, 0.25), (width - 0.25, depth - 0.25), (0.25, depth - 0.25)]
    cameras = []
    for number, (corner_x, y) in enumerate(corners, 1):
        x = width * float(rng.uniform(0.2, 0.8)) if rng.random() < 0.4 else corner_x
        high = min(float(rng.uniform(1.9, 4.0)), room.height_m - 0.15)
        aim = (
            round(width * float(rng.uniform(0.35, 0.65)), 2),
            round(depth * float(rng.uniform(0.35, 0.65)), 2),
            round(float(rng.uniform(0.4, 1.1)), 2),
        )
        cameras.append(
            SceneCamera(
                f"cam{number}",
                (round(x, 2), round(y, 2), round(high, 2)),
                aim,
                SIZE,
                round(float(rng.uniform(48, 95)), 1),
                round(float(rng.uniform(-0.18, 0.02)), 3),
                noise=round(float(rng.uniform(0.3, 2.0)), 2),
            )
        )
    return cameras
