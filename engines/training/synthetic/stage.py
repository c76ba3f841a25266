"""A scene on stage: what stands still, who moves, and everything that moves at a moment."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.scene.courses import garment_point
from engines.scene.optics import View
from engines.scene.spec import PersonLook, Prop, Scene, ScenePerson, Turn
from engines.scene.truth import courses
from engines.training.synthetic.drawing import fittings, props
from engines.training.synthetic.drawing.meshes import Mesh, joined, sheet
from engines.training.synthetic.drawing.textures import SIDE, Textures, colour_of_cloth
from engines.training.synthetic.people.dressing import Dressed, dress
from engines.training.synthetic.people.motions import Moment, Mover
from engines.training.synthetic.people.parts import parts
from engines.training.synthetic.people.posing import Pose, pose, skinned

MANNEQUIN, CLOTHES, POSTER, THING, CARRIED = 1000, 2000, 3000, 4000, 5000
"""Ids below 1000 are people, from 1 in the order of the scene; above them what is no person, by kind."""
KINDS = {
    MANNEQUIN: "mannequin",
    CLOTHES: "hanging clothes",
    POSTER: "poster",
    THING: "thing",
    CARRIED: "carried",
}
NEAR_PX = 130
"""A person taller than this in any picture is drawn with the finer mesh."""


def kind_of(number: int) -> str:
    """What an id stands for: person, background or a kind of thing."""
    return "background" if number == 0 else "person" if number < 1000 else KINDS[number // 1000 * 1000]


@dataclass(frozen=True)
class Actor:
    """A person on stage at a moment: id, mesh, who, how posed, and where the mesh is among the moving
    ones."""

    number: int
    person: ScenePerson
    moment: Moment
    mesh: Mesh
    place: int


@dataclass(frozen=True)
class Tableau:
    """Everything that moves at a moment."""

    time_s: float
    meshes: list[Mesh]
    actors: list[Actor]


class Stage:
    """Builds a scene. The same scene is the same stage, to the last bit."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.textures = Textures()
        rng = np.random.default_rng([scene.seed, 404])
        self.textures.add(_folds(rng))
        self.movers = [
            Mover(scene, course.person, dress(course.person.look, parts(), self.textures), course)
            for course in courses(scene)
        ]
        self.mannequins: list[tuple[int, Mesh]] = []
        self._garments: dict[tuple[str, int], tuple[Mesh, int]] = {}
        self._extras = {mover.person.name: self._extra(mover.person) for mover in self.movers}
        self.shell = fittings.room_mesh(scene.room, scene.doors, self.textures, rng)
        self.still = joined(self._still())
        self.light = _light(scene, rng)
        self.mirror = next((_plane(thing) for thing in scene.things if thing.kind == "mirror"), None)

    def at(self, time_s: float) -> Tableau:
        """What moves at a moment, coarser where it is small in every picture."""
        views = [View.of(camera, time_s) for camera in self.scene.cameras]
        meshes: list[Mesh] = []
        actors: list[Actor] = []
        away = dict(self._garments)
        for number, mover in enumerate(self.movers, 1):
            moment = mover.at(time_s)
            if moment is None:
                continue
            level = mover.dressed.levels[
                "near" if _tall_px(views, moment, mover.dressed) > NEAR_PX else "far"
            ]
            body = skinned(
                mover.dressed, level, moment.posed, moment.at_m, moment.standing.heading_rad, number
            )
            actors.append(Actor(number, mover.person, moment, body, len(meshes)))
            meshes.append(body)
            meshes += self._with(mover, moment, number)
            if moment.held is not None and (moment.held.rack, moment.held.garment) in away:
                garment, mark = away.pop((moment.held.rack, moment.held.garment))
                meshes.append(garment.moved(moment.held.at_m, moment.held.heading_rad).marked(mark))
        for (rack, number), (garment, mark) in away.items():
            meshes.append(self._hung(garment, rack, number).marked(mark))
        return Tableau(time_s, meshes, actors)

    def _hung(self, garment: Mesh, rack: str, number: int) -> Mesh:
        it = self.scene.rack(rack)
        x, y, z = garment_point(self.scene, rack, number)
        across = math.pi / 2 if it.kind == "rail" else 0.0
        unrest = 0.25 * math.sin(12.9898 * number + len(rack)) if it.kind == "rail" else 0.0
        return garment.moved(
            (x, y, z + (0.12 if it.kind == "rail" else 0.0)), math.radians(it.heading_deg) + across + unrest
        )

    def _still(self) -> list[Mesh]:
        scene, out = self.scene, []
        turned = {
            (act.rack, act.garment) for person in scene.people for act in person.acts if isinstance(act, Turn)
        }
        for number, rack in enumerate(scene.racks):
            out.append(fittings.rack_mesh(rack))
            for garment, mesh in enumerate(fittings.rack_garments(rack, self.textures), 1):
                if (rack.name, garment) in turned:
                    self._garments[rack.name, garment] = (mesh, CLOTHES + number)
                else:
                    out.append(self._hung(mesh, rack.name, garment).marked(CLOTHES + number))
        for number, thing in enumerate(scene.things):
            if thing.kind == "mannequin":
                figure = self._mannequin(thing).marked(MANNEQUIN + number)
                self.mannequins.append((number, figure))
                out.append(figure)
                out.append(
                    props.prop_mesh(
                        Prop("plinth", thing.at, thing.heading_deg, size_m=(0.5, max(thing.base_m, 0.03))),
                        self.textures,
                    )
                )
                continue
            base = POSTER if thing.kind in ("poster", "screen") else THING
            out.append(props.prop_mesh(thing, self.textures).marked(base + number))
            if thing.kind == "mirror":
                out.append(_glass(thing).marked(THING + number))
        return out

    def _mannequin(self, thing: Prop) -> Mesh:
        """Somebody who never moves, on a low plinth."""
        dressed = dress(PersonLook(seed=thing.seed + 50_000), parts(), self.textures, mannequin=True)
        rng = np.random.default_rng([thing.seed, 66])
        tall = dressed.height_m / 1.7
        chest = 0.6 * dressed.height_m
        wanted = Pose(head_turn=float(rng.normal(0, 0.3)), twist=float(rng.normal(0, 0.1)))
        styles: tuple[dict[int, list[float]], ...] = (
            {},
            {1: [0.2 * tall, -0.03, chest]},
            {1: [0.22, -0.2, chest], -1: [-0.22, -0.1, chest * 0.85]},
            {-1: [-0.2 * tall, -0.03, chest]},
        )
        for side, goal in styles[rng.integers(len(styles))].items():
            wanted.hands[side] = np.array(goal)
        aside = 0.1 * tall
        wanted.feet = {
            1: (np.array([aside, -0.1 * rng.random(), 0]), 0.12, 0.0),
            -1: (np.array([-aside, 0.08 * rng.random(), 0]), -0.12, 0.0),
        }
        posed = pose(dressed, wanted)
        at = np.array([*thing.at, max(thing.base_m, 0.03)])
        return skinned(dressed, dressed.levels["near"], posed, at, math.radians(thing.heading_deg), 0)

    def _extra(self, person: ScenePerson) -> Mesh | None:
        colour = colour_of_cloth(np.random.default_rng([person.look.seed, 12]))
        made: dict[str, Callable[[], Mesh]] = {
            "pram": lambda: props.pram_mesh(colour),
            "trolley": props.trolley_mesh,
            "wheelchair": props.wheelchair_mesh,
            "basket": lambda: props.basket_mesh(colour).moved((0, 0, -0.4)),
            "bag": lambda: props.bag_mesh(colour),
        }
        return made[person.uses]() if person.uses in made else None

    def _with(self, mover: Mover, moment: Moment, number: int) -> list[Mesh]:
        """What a person pushes, sits in or carries."""
        extra = self._extras[mover.person.name]
        if extra is None:
            return []
        heading = moment.standing.heading_rad
        if mover.person.uses in ("bag", "basket"):
            return [extra.moved(moment.hands[1], heading).marked(CARRIED + number)]
        ahead = 0.0 if mover.person.uses == "wheelchair" else 0.42 * mover.tall
        at = moment.at_m + np.array([math.cos(heading), math.sin(heading), 0]) * ahead
        return [extra.moved(at, heading - math.pi / 2).marked(CARRIED + number)]


def _tall_px(views: list[View], moment: Moment, dressed: Dressed) -> float:
    away = [float(np.linalg.norm(view.at_m - moment.at_m)) for view in views]
    return max(
        view.lens.focal_px * dressed.height_m / max(far, 0.5) for view, far in zip(views, away, strict=True)
    )


def _folds(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Two smooth noises in red and green that bend the light on cloth."""
    import cv2

    coarse = rng.normal(0, 1, (16, 16, 2)).astype(np.float32)
    fine = np.tile(coarse, (3, 3, 1))
    big = cv2.resize(fine, (3 * SIDE, 3 * SIDE), interpolation=cv2.INTER_CUBIC)[
        SIDE : 2 * SIDE, SIDE : 2 * SIDE
    ]
    out = np.full((SIDE, SIDE, 3), 128.0)
    out[..., :2] += 42 * big
    return np.asarray(np.clip(out, 0, 255), np.uint8)


def _light(scene: Scene, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    width, depth = scene.room.size_m
    warm = np.array([1.0, 1 - 0.12 * scene.room.warmth, 1 - 0.3 * scene.room.warmth])
    lamps = np.zeros((3, 4))
    for lamp, (x, y) in enumerate(((0.25, 0.3), (0.78, 0.45), (0.4, 0.8))):
        lamps[lamp] = [x * width, y * depth, scene.room.height_m - 0.1, rng.uniform(0.8, 1.1)]
    return {"ambient": warm * 0.34 * scene.room.light, "lamp_colour": warm * scene.room.light, "lamps": lamps}


def _plane(thing: Prop) -> NDArray[np.float64]:
    """A mirror's plane: unit normal to its front and distance."""
    heading = math.radians(thing.heading_deg)
    front = np.array([math.cos(heading), math.sin(heading), 0.0])
    at = np.array([*thing.at, 0.0]) + 0.03 * front
    return np.array([*front, float(front @ at)])


def _glass(thing: Prop) -> Mesh:
    wide, high = thing.size_m or (0.6, 1.8)
    flat = sheet([wide / 2, 0.03, 0], [-wide, 0, 0], [0, 0, high], (1, 1, 1), -1.0)
    return flat.moved([*thing.at, thing.base_m], math.radians(thing.heading_deg) - math.pi / 2)
