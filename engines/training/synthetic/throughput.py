"""How fast shops are drawn here, by number of people."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from engines.scene.spec import (
    Act,
    Garments,
    PersonLook,
    Prop,
    Room,
    Scene,
    SceneCamera,
    ScenePerson,
    SceneRack,
    Stand,
    Walk,
)
from engines.training.synthetic.filming import Studio

NIGHT_S = 8 * 3600
ROOM_M = (9.0, 7.0)


def crowd_scene(people: int, size: tuple[int, int]) -> Scene:
    """A shop with that many people, half of whom walk."""
    rng = np.random.default_rng(people)
    width, depth = ROOM_M
    cast = []
    for number in range(people):
        place = (float(rng.uniform(1, width - 1)), float(rng.uniform(1, depth - 1)))
        aim = (float(rng.uniform(1, width - 1)), float(rng.uniform(1, depth - 1)))
        acts: list[Act] = [Walk([aim]), Stand(60)] if number % 2 else [Stand(60, aim)]
        cast.append(ScenePerson(f"p{number + 1}", place, acts, look=PersonLook(number)))
    racks = [
        SceneRack(f"rack-{n}", (2 + 2.5 * (n % 3), 2 + 2.5 * (n // 3)), garments=Garments(12, seed=n))
        for n in range(6)
    ]
    things = [Prop("mannequin", (8.3, 6.3), 215, seed=4), Prop("poster", (8.98, 3.0), 180, 1.0, seed=2)]
    camera = SceneCamera("corner", (0.3, 0.3, 2.8), (5.0, 4.0, 0.6), size, 88.0, -0.1)
    return Scene("crowd", 60.0, Room(ROOM_M), [camera], racks=racks, things=things, people=cast)


def measure(numbers: Sequence[int], frames: int, size: tuple[int, int]) -> Iterator[str]:
    """A line for each number of people: seconds of one CPU core for a frame with all its labels,
    triangles that move, what of it the renderer takes, frames in a night of eight hours on one core."""
    for count, people in enumerate(numbers):
        studio = Studio(crowd_scene(people, size), samples=0)
        if not count:
            yield f"{studio.renderer.name}, {size[0]} x {size[1]}, edges not smoothed; core seconds a frame"
            yield f"{'people':>6} {'triangles':>9} {'picture':>8} {'ids':>7} {'all':>7} {'a night':>9}"
        studio.take(0)
        begun = time.process_time()
        for frame in range(frames):
            studio.take(frame * 7)
        whole = (time.process_time() - begun) / frames
        tableau = studio.stage.at(1.0)
        view = studio.view(0, 1.0)
        begun = time.process_time()
        for _ in range(frames):
            studio.renderer.picture(view)
        picture = (time.process_time() - begun) / frames
        begun = time.process_time()
        for _ in range(frames):
            studio.renderer.numbers(view)
        ids = (time.process_time() - begun) / frames
        triangles = sum(len(mesh.faces) for mesh in tableau.meshes)
        yield f"{people:6d} {triangles:9d} {picture:8.3f} {ids:7.3f} {whole:7.3f} {NIGHT_S / whole:9,.0f}"
