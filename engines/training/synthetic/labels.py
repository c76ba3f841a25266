"""What is true of a picture: who is where in it, how much of them shows, what they touch."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.scene.optics import View
from engines.scene.spec import Browse, Turn
from engines.scene.truth import kinds
from engines.training.synthetic.drawing.renderer import Renderer
from engines.training.synthetic.stage import Actor, Stage, Tableau

Box = tuple[float, float, float, float]
BEYOND_PX = 1500
"""A silhouette is counted so far beyond the picture."""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One person in one picture.

    `box` (left, top, right, bottom, px) is of the whole body, hidden parts and parts beyond the picture
    included; None where the body reaches behind the camera. `seen_box` holds the pixels that show. `visible`
    is the share of the whole silhouette that shows, `within` the share that lies in the picture. `joints`
    are COCO's names: u, v in px and 1 where that very place shows the person. `hands_at` is the rack a hand
    is at, `holds` the garment's number there.
    """

    number: int
    person: str
    kinds: list[str]
    box: Box | None
    seen_box: tuple[int, int, int, int] | None
    visible: float
    within: float
    floor_m: tuple[float, float]
    heading_deg: float
    walking_mps: float
    joints: dict[str, tuple[float, float, int]]
    does: str
    hands_at: str | None
    holds: int | None


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture's labels."""

    frame: int
    camera: str
    time_s: float
    people: list[Label]


@dataclass(frozen=True)
class Shot:
    """A camera's picture at a moment, its id buffer and its labels."""

    image: NDArray[np.uint8]
    numbers: NDArray[np.int32]
    labels: list[Label]


def shoot(renderer: Renderer, stage: Stage, tableau: Tableau, camera: int, draw: bool = True) -> Shot:
    """One camera's shot of what `renderer.set_moving` was given; without `draw` the image is black."""
    view = View.of(stage.scene.cameras[camera], tableau.time_s)
    image = renderer.picture(view) if draw else np.zeros((view.size[1], view.size[0], 3), np.uint8)
    numbers = renderer.numbers(view)
    found = [label(renderer, view, numbers, actor) for actor in tableau.actors]
    return Shot(image, numbers, [one for one in found if one is not None])


def whole_box(view: View, points: NDArray[np.floating]) -> Box | None:
    """Around all projected points (n, 3); None where one is behind the camera."""
    pixels = view.project(np.asarray(points, np.float64))
    if np.isnan(pixels).any():
        return None
    low, high = pixels.min(0), pixels.max(0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def label(renderer: Renderer, view: View, numbers: NDArray[np.int32], actor: Actor) -> Label | None:
    """None where no part of the person is in the picture."""
    width, height = view.size
    box = whole_box(view, actor.mesh.vertices[:, :3])
    if box is None and (view.seen(actor.mesh.vertices[:, :3])[:, 2] < 0.05).all():
        return None
    if box is not None and (box[0] >= width or box[1] >= height or box[2] <= 0 or box[3] <= 0):
        return None
    mine = numbers == actor.number
    seen = int(mine.sum())
    wide = (-BEYOND_PX, -BEYOND_PX, width + BEYOND_PX, height + BEYOND_PX)
    whole_at = box if box is not None else wide
    clipped = tuple(
        np.clip(whole_at, [wide[0], wide[1], wide[0], wide[1]], [wide[2], wide[3], wide[2], wide[3]])
    )
    inside = (max(whole_at[0], 0), max(whole_at[1], 0), min(whole_at[2], width), min(whole_at[3], height))
    whole = renderer.alone(view, actor.place, clipped)
    in_picture = whole if inside == whole_at else renderer.alone(view, actor.place, inside)
    if not in_picture:
        return None
    seen_box = None
    if seen:
        rows, columns = np.flatnonzero(mine.any(1)), np.flatnonzero(mine.any(0))
        seen_box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    moment = actor.moment
    act = moment.standing.act
    names = list(moment.joints)
    places = view.project(np.stack([moment.joints[name] for name in names]))
    joints = {}
    for name, (u, v) in zip(names, places.tolist(), strict=True):
        if not (np.isnan(u) or np.isnan(v)):
            on = 0 <= u < width and 0 <= v < height and bool(mine[int(v), int(u)])
            joints[name] = (round(u, 1), round(v, 1), int(on))
    holds = moment.held.garment if moment.held is not None else None
    walking = moment.standing.speed_mps
    return Label(
        number=actor.number,
        person=actor.person.name,
        kinds=kinds(actor.person),
        box=_rounded(box),
        seen_box=seen_box,
        visible=round(min(1.0, seen / max(whole, 1)), 4),
        within=round(min(1.0, in_picture / max(whole, 1)), 4),
        floor_m=(round(float(moment.at_m[0]), 3), round(float(moment.at_m[1]), 3)),
        heading_deg=round(float(np.degrees(moment.standing.heading_rad)) % 360, 1),
        walking_mps=round(walking, 2),
        joints=joints,
        does=_does(act, walking),
        hands_at=moment.touches,
        holds=holds,
    )


def _does(act: object, walking_mps: float) -> str:
    if isinstance(act, Turn):
        return "turns"
    if isinstance(act, Browse):
        return "browses"
    return "walks" if walking_mps > 0.05 else "stands"


def _rounded(box: Box | None) -> Box | None:
    return None if box is None else (round(box[0], 2), round(box[1], 2), round(box[2], 2), round(box[3], 2))
