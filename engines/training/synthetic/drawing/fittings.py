"""The shop itself: walls with doors, racks, and the clothes on them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.scene.spec import Door, Room, SceneRack
from engines.training.synthetic.drawing.meshes import Mesh, box, joined, mesh, sheet, tube
from engines.training.synthetic.drawing.textures import PLAIN, Textures, cloth, colour_of_cloth, floor

METAL = (0.45, 0.45, 0.47)
DARK = (0.08, 0.08, 0.09)
WOOD = (0.5, 0.36, 0.22)
LAMP = (3.0, 3.0, 2.8)
PASSAGE_M = 5.0
"""How far the floor goes on before a door."""


def room_mesh(room: Room, doors: list[Door], textures: Textures, rng: np.random.Generator) -> Mesh:
    """Floor, ceiling with lamps, walls with openings, and what is before the doors."""
    width, depth = room.size_m
    layer = textures.add(floor(room.floor, rng))
    out = [
        sheet([0, 0, 0], [width, 0, 0], [0, depth, 0], room.floor_colour, layer, (width, depth), 0.4),
        sheet([0, depth, room.height_m], [width, 0, 0], [0, -depth, 0], (0.85, 0.85, 0.85), PLAIN),
    ]
    for x in np.arange(0.9, width - 0.6, 2.1):
        out.append(box([x, 0.7, room.height_m - 0.05], [x + 0.22, depth - 0.7, room.height_m - 0.01], LAMP))
    for wall, corner, along, long in (
        ("front", (0, 0), (1, 0), width),
        ("back", (width, depth), (-1, 0), width),
        ("left", (0, depth), (0, -1), depth),
        ("right", (width, 0), (0, 1), depth),
    ):
        openings = []
        for door in doors:
            if door.wall == wall:
                ends = (
                    (door.from_m, door.to_m)
                    if wall in ("front", "right")
                    else (long - door.to_m, long - door.from_m)
                )
                openings.append((*ends, door.height_m))
        out += _wall(room, np.array(corner, float), np.array(along, float), long, sorted(openings))
    return joined(out)


def _wall(
    room: Room,
    corner: NDArray[np.float64],
    along: NDArray[np.float64],
    long: float,
    openings: list[tuple[float, float, float]],
) -> list[Mesh]:
    out, at = [], 0.0
    axis, outside = np.array([*along, 0.0]), np.array([along[1], -along[0], 0.0])
    base = np.array([*corner, 0.0])
    skirting = np.array(room.wall_colour) * 0.55
    for begin, end, high in [*openings, (long, long, 0.0)]:
        if begin - at > 0.01:
            out.append(sheet(base + axis * at, axis * (begin - at), [0, 0, room.height_m], room.wall_colour))
            low = base + axis * at - outside * 0.012
            out.append(sheet(low, axis * (begin - at), [0, 0, 0.09], skirting))
        if end > begin:
            left, right = base + axis * begin, base + axis * end
            out.append(
                sheet(
                    left + [0, 0, high], axis * (end - begin), [0, 0, room.height_m - high], room.wall_colour
                )
            )
            for post in (left, right):
                out.append(
                    box(
                        np.minimum(post - outside * 0.05, post + outside * 0.1) - [0.03, 0.03, 0],
                        np.maximum(post - outside * 0.05, post + outside * 0.1) + [0.03, 0.03, high],
                        METAL,
                    )
                )
            out.append(
                sheet(left - axis * 4, axis * (end - begin + 8), outside * PASSAGE_M, (0.5, 0.5, 0.49))
            )
            back = left + outside * PASSAGE_M - axis * 4
            out.append(sheet(back, axis * (end - begin + 8), [0, 0, 3.2], (0.75, 0.78, 0.8)))
        at = end
    return out


def garment_mesh(rng: np.random.Generator, colour: NDArray[np.floating], layer: float) -> Mesh:
    """A garment on a hanger: hook at the origin, width along x; shoulders, sleeves, a wavy body."""
    wide, high = rng.uniform(0.38, 0.48), rng.uniform(0.6, 0.95)
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(0, 1, 8))
    across = u * wide * (0.78 + 0.22 * np.minimum(1, 4 * v)) * (1 + 0.1 * v)
    wave = 0.025 * np.sin(u * rng.uniform(6, 14) + rng.uniform(0, 6) + 2 * v) * (0.3 + v)
    down = v * high + 0.13 * np.abs(u) + 0.06
    front = np.stack([across, wave + 0.022, -down], -1).reshape(-1, 3)
    rear = np.stack([across, wave - 0.022, -down], -1).reshape(-1, 3)
    first = (np.arange(7)[:, None] * 9 + np.arange(8)).reshape(-1, 1)
    faces = np.concatenate([first + [0, 9, 10], first + [0, 10, 1]])
    uv = np.stack([u * 0.45 + 0.25, 1.1 - v * 0.6], -1).reshape(-1, 2)
    sleeve = rng.uniform(0.2, 0.55)
    arms = [
        tube(
            [[side * wide * 0.42, 0, -0.13], [side * wide * 0.56, 0, -0.2 - sleeve]], 0.045, colour * 0.93, 5
        )
        for side in (-1, 1)
    ]
    hook = tube([[0, 0, 0.03], [0, 0, -0.07]], 0.004, METAL, 3)
    return joined(
        [mesh(front, faces, colour, uv, layer), mesh(rear, faces[:, ::-1], colour, uv, layer), *arms, hook]
    )


def folded_mesh(rng: np.random.Generator, colour: NDArray[np.floating], layer: float) -> Mesh:
    """A folded garment, its middle at the origin, lying."""
    w, d, h = rng.uniform(0.1, 0.15), rng.uniform(0.12, 0.17), rng.uniform(0.03, 0.07)
    return box([-w, -d, -0.06], [w, d, -0.06 + h], colour, layer, 0.4)


def garment_colours(rack: SceneRack, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Runs of like colours, as racks are filled."""
    colours, one = [], colour_of_cloth(rng)
    for _ in range(rack.garments.count):
        if rng.random() < 0.22:
            one = colour_of_cloth(rng)
        colours.append(np.clip(one * rng.uniform(0.85, 1.1), 0, 0.95))
    return colours


def rack_garments(rack: SceneRack, textures: Textures) -> list[Mesh]:
    """One mesh a garment, hook at the origin."""
    rng = np.random.default_rng([rack.garments.seed, len(rack.name), rack.garments.count])
    layers = [PLAIN, *(textures.add(cloth(rng)) for _ in range(2))]
    make = garment_mesh if rack.kind == "rail" else folded_mesh
    return [make(rng, colour, layers[rng.integers(3)]) for colour in garment_colours(rack, rng)]


def rack_mesh(rack: SceneRack) -> Mesh:
    """The rack without its garments, at its place."""
    half, high = rack.length_m / 2, rack.height_m
    if rack.kind == "rail":
        out = [tube([[-half, 0, high], [half, 0, high]], 0.016, METAL)]
        for end in (-half, half):
            out += [
                tube([[end, 0, 0.03], [end, 0, high]], 0.016, METAL),
                tube([[end, -0.28, 0.03], [end, 0.28, 0.03]], 0.018, METAL),
            ]
    elif rack.kind == "table":
        out = [box([-half, -0.4, high - 0.05], [half, 0.4, high], WOOD)]
        out += [
            box([x - 0.03, y - 0.03, 0], [x + 0.03, y + 0.03, high - 0.05], METAL)
            for x in (-half + 0.06, half - 0.06)
            for y in (-0.35, 0.35)
        ]
    else:
        out = [box([-half, -0.02, 0], [half, 0.02, high + 0.25], (0.6, 0.6, 0.58))]
        levels = np.arange(high, 0.1, -0.42)
        rng = np.random.default_rng([rack.garments.seed, 31])
        for level in levels:
            out.append(box([-half, -0.24, level - 0.03], [half, 0.24, level], WOOD))
            for side in (-1, 1):
                for x in np.arange(-half + 0.15, half - 0.1, 0.3):
                    if level < high and rng.random() < 0.8:
                        tall = rng.uniform(0.08, 0.28)
                        out.append(
                            box(
                                [x - 0.11, side * 0.13 - 0.09, level],
                                [x + 0.11, side * 0.13 + 0.09, level + tall],
                                colour_of_cloth(rng),
                            )
                        )
    return joined(out).moved([*rack.at, 0], math.radians(rack.heading_deg))
