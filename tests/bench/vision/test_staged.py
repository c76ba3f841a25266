"""A staged scene without its films: where a perfect detector would see everybody, replayed as a shop."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from bench.vision.staged.command import figures
from bench.vision.staged.films import FilmLook
from bench.vision.staged.replay import BusyMachine, Staged, facts, sights, stage
from engines.scene.optics import View
from engines.scene.spec import (
    Door,
    Garments,
    Room,
    Scene,
    SceneAntenna,
    SceneCamera,
    ScenePerson,
    SceneRack,
    Turn,
    Walk,
)
from runtime.demo.boutique.store import HERE

SCENE = Scene(
    name="one-customer",
    seconds=24.0,
    room=Room((6.0, 6.0)),
    doors=[Door("door", "front", 0.8, 2.5, line_inside_m=1.0)],
    racks=[SceneRack("coats", (4.0, 3.5), garments=Garments(12, "e28068940000000000c100"))],
    antennas=[SceneAntenna(1, (4.0, 3.5), 2.4)],
    cameras=[SceneCamera("door", (3.0, 5.8, 3.1), (2.4, 1.0, 0.4), hfov_deg=100)],
    people=[
        ScenePerson(
            "ana",
            (1.5, -2.5),
            [
                Walk([(1.5, 1.6), (3.9, 2.95)], 1.2),
                Turn("coats", 6, 4),
                Walk([(1.7, 1.6), (1.7, -2.5)], 1.2),
            ],
            2.0,
        )
    ],
)


def seen_by_a_perfect_detector(staged: Staged) -> dict[str, list[FilmLook]]:
    """Boxes of 1.7 m people, and pictures that change where they are."""
    camera = SCENE.cameras[0]
    view, random = View.of(camera), np.random.default_rng(1)
    looks = []
    for frame in range(round(SCENE.seconds * SCENE.fps)):
        time_s, boxes, grey = frame / SCENE.fps, [], np.full((96, 160), 120, np.uint8)
        for course in staged.everybody:
            if (there := course.at(time_s)) is not None:
                x, y = there.xy_m
                corners = view.project(
                    np.array(
                        [[x + a, y + b, z] for a in (-0.2, 0.2) for b in (-0.1, 0.1) for z in (0.0, 1.7)]
                    )
                )
                if np.isfinite(corners).all() and (corners >= 0).all() and (corners < camera.size).all():
                    boxes.append([*corners.min(0), *corners.max(0)])
                    left, top, right, bottom = (round(float(each) / 4) for each in boxes[-1])
                    grey[top:bottom, left:right] = random.integers(60, 200, (bottom - top, right - left))
        looks.append(FilmLook(time_s, np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.8), grey))
    return {camera.name: looks}


@pytest.fixture(scope="module")
def staged() -> Staged:
    return stage(SCENE, {"door": HERE / "door.mp4"})


def test_a_customer_is_counted_in_and_out_under_one_id_and_named_for_the_garment(staged: Staged) -> None:
    looks = seen_by_a_perfect_detector(staged)
    for machine in (BusyMachine(), BusyMachine(keep=0.8, late_s=(0.1, 0.5), seed=3)):
        found = figures(staged, facts(staged, sights(staged, looks, machine)), machine.keep)
        assert found.counted.exact
        assert (found.identities.kept, found.identities.shared) == (1, 0)
        assert (found.flips_true, found.wrong) == (1, 0)
        assert found.right == found.flips_found == 1


def test_the_same_machine_gives_the_same_facts(staged: Staged) -> None:
    looks = seen_by_a_perfect_detector(staged)
    one, again = (
        msgspec.json.encode(facts(staged, sights(staged, looks, BusyMachine(keep=0.7, seed=5))))
        for _ in range(2)
    )
    assert one == again


def test_whom_no_camera_sees_is_not_named(staged: Staged) -> None:
    blind = {
        "door": [
            replace(look, boxes=np.zeros((0, 4)), scores=np.zeros(0))
            for look in seen_by_a_perfect_detector(staged)["door"]
        ]
    }
    found = figures(staged, facts(staged, sights(staged, blind, BusyMachine())), 1.0)
    assert (found.right, found.wrong, found.nobody) == (0, 0, found.flips_found)
    assert found.counted.in_found == 0
