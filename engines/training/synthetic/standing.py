"""Random shops in which people stand for long beside mannequins, and some walk by: for judging a tracker.

Rails stand in rows with aisles between; the way in is along the left wall. Somebody who stands shifts their
weight, looks about and moves the arms; a mannequin never moves.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from engines.scene.spec import (
    Act,
    Browse,
    Colour,
    Door,
    Garments,
    Move,
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
    Walk,
)

FLOORS: tuple[Literal["plain", "tiles", "boards", "carpet"], ...] = ("plain", "tiles", "boards", "carpet")
ROW_M = 1.9
ASIDE_M = 0.52
WAY_IN_X_M = 1.2
SHOULDER_M, FACING_M = 0.46, 0.3
"""From one to the next in a crowd, and from its middle to either line."""
ARMS = ("hang", "crossed", "hips", "phone", "behind", "hang")


def standing_scene(
    seed: int,
    seconds: float = 60.0,
    size: tuple[int, int] = (640, 384),
    cameras: int = 1,
    fps: float = 10.0,
    bumped: bool = False,
    crowd: int = 0,
) -> Scene:
    """The shop of a seed, with `cameras` of that picture size.

    `bumped`: the first looks elsewhere after half the time. `crowd`: so many stand shoulder to shoulder
    between the first two rows, instead of those who walk by.
    """
    rng = np.random.default_rng([seed, 1606])
    rows = int(rng.integers(2, 4))
    width, depth = float(rng.uniform(6.5, 9.0)), 1.6 + ROW_M * rows
    racks: list[SceneRack] = []
    things: list[Prop] = []
    spots: list[tuple[str, float, float, int]] = []
    for row in range(rows):
        y_m = 1.7 + ROW_M * row
        at_m = 2.6
        while at_m < width - 1.6:
            long = float(rng.uniform(1.2, 1.7))
            kind: Literal["rail", "shelf"] = "rail" if rng.random() < 0.75 else "shelf"
            name = f"rack-{row + 1}-{len(racks) + 1}"
            high = float(rng.uniform(1.3, 1.55))
            racks.append(
                SceneRack(
                    name,
                    (round(at_m + long / 2, 2), y_m),
                    kind,
                    0.0,
                    round(long, 2),
                    round(high, 2),
                    Garments(int(rng.integers(9, 18)), seed=int(rng.integers(1 << 20))),
                )
            )
            spots += [
                (name, round(at_m + long * share, 2), y_m, side) for share in (0.25, 0.75) for side in (-1, 1)
            ]
            at_m += long + 0.9
            if rng.random() < 0.7 and at_m < width - 0.4:
                place = (round(at_m - 0.45, 2), round(y_m + float(rng.uniform(-0.15, 0.15)), 2))
                things.append(
                    Prop(
                        "mannequin",
                        place,
                        float(rng.choice([-90, 90])) + float(rng.normal(0, 20)),
                        float(rng.choice([0.0, 0.1, 0.2])),
                        seed=int(rng.integers(1 << 20)),
                    )
                )
    things.append(
        Prop("mannequin", (round(width - 2.6, 2), 0.4), 95.0, 0.15, seed=int(rng.integers(1 << 20)))
    )
    things.append(
        Prop("mannequin", (2.3, round(depth - 0.45, 2)), -70.0, 0.1, seed=int(rng.integers(1 << 20)))
    )
    things.append(
        Prop(
            "poster",
            (round(width - 0.02, 2), round(depth * 0.4, 2)),
            180.0,
            0.9,
            (0.9, 1.4),
            int(rng.integers(1 << 20)),
        )
    )
    people = _people(rng, seconds, spots, racks)
    if crowd:
        walkers = [one for one in people if isinstance(one.acts[-1], Stand)]
        people = [*walkers, *_crowd(seed, crowd, (width / 2, 1.7 + ROW_M / 2), seconds)]
    red, green, blue = (rng.uniform(0.3, 0.75) * rng.uniform(0.85, 1, 3)).tolist()
    floor_colour: Colour = (red, green, blue)
    room = Room(
        (round(width, 2), round(depth, 2)),
        float(rng.uniform(2.9, 3.6)),
        FLOORS[rng.integers(len(FLOORS))],
        floor_colour,
        light=float(rng.uniform(0.7, 1.15)),
        warmth=float(rng.uniform(0, 0.8)),
    )
    found = _cameras(rng, width, depth, size, cameras)
    return Scene(
        name=f"standing-{seed}",
        seconds=seconds,
        fps=fps,
        seed=seed,
        room=room,
        doors=[Door("door", "front", 0.5, 1.9)],
        racks=racks,
        things=things,
        people=people,
        cameras=_bumped(found, seed, seconds / 2) if bumped else found,
    )


def _crowd(seed: int, number: int, middle: Point, seconds: float) -> list[ScenePerson]:
    """People in two lines that look at each other, shoulders touching."""
    rng = np.random.default_rng([seed, 5])
    found = []
    for place in range(number):
        line, at = place % 2, place // 2
        x_m = middle[0] + SHOULDER_M * (at - (number - 1) // 4) + float(rng.normal(0, 0.02))
        y_m = middle[1] + (line - 0.5) * 2 * FACING_M + float(rng.normal(0, 0.03))
        arms: list[Act] = [Stand(seconds, (x_m, middle[1]), str(rng.choice(ARMS)))]  # type: ignore[arg-type]
        look = PersonLook(int(rng.integers(1 << 20)))
        found.append(ScenePerson(f"c{place + 1}", (round(x_m, 2), round(y_m, 2)), arms, look=look))
    return found


def _bumped(cameras: list[SceneCamera], seed: int, at_s: float) -> list[SceneCamera]:
    """The same, the first of which looks some decimetres beside from then on, as after a blow."""
    first, *rest = cameras
    x, y, z = (first.looks_at + np.random.default_rng([seed, 4]).normal(0, 0.35, 3)).tolist()
    move = Move(at_s, looks_at=(round(x, 2), round(y, 2), round(z, 2)))
    return [msgspec.structs.replace(first, moves=[move]), *rest]


def _people(
    rng: np.random.Generator,
    seconds: float,
    spots: list[tuple[str, float, float, int]],
    racks: list[SceneRack],
) -> list[ScenePerson]:
    order = list(rng.permutation(len(spots)))
    garments = {rack.name: rack.garments.count for rack in racks}
    people: list[ScenePerson] = []
    taken: list[Point] = []
    wanted = int(rng.integers(5, 9))
    while order and len(people) < wanted:
        rack, x_m, y_m, side = spots[order.pop()]
        spot = (x_m, round(y_m + side * float(rng.uniform(0.46, 0.58)), 2))
        if any((spot[0] - x) ** 2 + (spot[1] - y) ** 2 < 0.45 for x, y in taken):
            continue
        taken.append(spot)
        look = PersonLook(
            int(rng.integers(1 << 20)), headscarf=bool(rng.random() < 0.08), dark=bool(rng.random() < 0.2)
        )
        if rng.random() < 0.1:
            look = PersonLook(look.seed, years=float(rng.uniform(6, 12)))
        name, lane = f"p{len(people) + 1}", y_m + side * ROW_M / 2
        stay = _stay(rng, rack, garments[rack], (x_m, y_m), look)
        late = rng.random()
        if late < 0.55:
            people.append(ScenePerson(name, spot, [*stay, Stand(seconds)], look=look, faces=(x_m, y_m)))
        elif late < 0.8:
            way: list[Act] = [Walk([(WAY_IN_X_M, lane), (x_m, lane), spot], float(rng.uniform(0.8, 1.3)))]
            people.append(
                ScenePerson(
                    name,
                    (WAY_IN_X_M, -2.0),
                    [*way, *stay, Stand(seconds)],
                    float(rng.uniform(0, seconds / 3)),
                    look=look,
                )
            )
        else:
            out = Walk(
                [(x_m, lane), (WAY_IN_X_M, lane), (WAY_IN_X_M, -2.5), (6.0, -4.0)],
                float(rng.uniform(0.8, 1.3)),
            )
            people.append(ScenePerson(name, spot, [*stay, out], look=look, faces=(x_m, y_m)))
    rows = sorted({y for _, _, y, _ in spots})
    for _ in range(int(rng.integers(1, 4))):
        y_m = rows[rng.integers(len(rows))] + float(rng.choice([-1, 1])) * ROW_M / 2
        far = max(x for _, x, _, _ in spots) + 0.4
        strolls: list[Act] = [
            Walk([(WAY_IN_X_M, y_m), (far, y_m)], float(rng.uniform(0.8, 1.4))),
            Stand(float(rng.uniform(3, 12)), arms="phone"),
            Walk([(WAY_IN_X_M, y_m), (WAY_IN_X_M, -2.5), (6.0, -4.0)], float(rng.uniform(0.8, 1.4))),
        ]
        people.append(
            ScenePerson(
                f"p{len(people) + 1}",
                (WAY_IN_X_M, -2.0),
                strolls,
                float(rng.uniform(1, seconds * 0.7)),
                look=PersonLook(int(rng.integers(1 << 20))),
                uses="bag" if rng.random() < 0.3 else "nothing",
            )
        )
    return people


def _stay(rng: np.random.Generator, rack: str, garments: int, faces: Point, look: PersonLook) -> list[Act]:
    """30 to 60 s at a rack, mostly standing."""
    acts: list[Act] = []
    left = float(rng.uniform(30, 60))
    while left > 0:
        span = float(rng.uniform(6, 20))
        kind = rng.random()
        aim = (round(faces[0] + float(rng.normal(0, 0.3)), 2), faces[1])
        if kind < 0.68:
            acts.append(Stand(span, aim, str(rng.choice(ARMS))))  # type: ignore[arg-type]
        elif kind < 0.86 or look.years is not None:
            acts.append(Browse(rack, min(span, 8.0), "left" if rng.random() < 0.3 else "right"))
        else:
            near = int(np.clip(round((garments + 1) / 2), 1, garments))
            acts.append(Turn(rack, near, max(4.0, min(span, 9.0)), "left" if rng.random() < 0.3 else "right"))
        left -= span
    return acts


def _cameras(
    rng: np.random.Generator, width: float, depth: float, size: tuple[int, int], count: int
) -> list[SceneCamera]:
    corners = [
        (width - 0.25, 0.25),
        (width - 0.25, depth - 0.25),
        (0.25, depth - 0.25),
        (width / 2, depth - 0.2),
    ]
    out = []
    for number in range(count):
        x, y = (
            corners[(int(rng.integers(2)) + number) % len(corners)]
            if number == 0
            else corners[(number + 1) % len(corners)]
        )
        aim = (
            width * float(rng.uniform(0.42, 0.55)),
            depth * float(rng.uniform(0.42, 0.58)),
            float(rng.uniform(0.5, 0.9)),
        )
        out.append(
            SceneCamera(
                f"cam{number + 1}",
                (round(x, 2), round(y, 2), round(float(rng.uniform(2.45, 2.85)), 2)),
                tuple(round(v, 2) for v in aim),  # type: ignore[arg-type]
                size,
                round(float(rng.uniform(76, 98)), 1),
                round(float(rng.uniform(-0.12, 0)), 3),
            )
        )
    return out
