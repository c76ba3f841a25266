"""Labels against a computation that shares nothing with the renderer: rays against triangles, OpenCV's lens.

- ids: random pixels of each picture, what is there by the id buffer and by a ray;
- boxes: the body's points through `cv2.projectPoints`;
- visible shares: rays over the body's box, also beyond the picture, to the body alone and to everything;
- joints: the ray through a joint's pixel must meet skin near the joint's depth;
- floor places: the lowest points of the body lie on the floor, around the place;
- contacts: a hand that is said to be at a rack is at it, and what is held hangs from the hand.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.scene.optics import View
from engines.scene.spec import Scene, SceneRack
from engines.training.synthetic.filming import Studio
from engines.training.synthetic.labels import Label
from engines.training.synthetic.rays import Triangles, first_hits
from engines.training.synthetic.stage import Actor, Tableau

PIXELS = 60
RAYS = 300
JOINT_M = 0.2
"""Skin is no further from a joint, along the ray through it."""
SOLE_M = 0.05
FEET_M = 0.55
"""The middle of the soles is no further from the floor place, mid-step."""
HAND_M = 0.30
EDGE_PX = 1.0
Floats = NDArray[np.float64]


@dataclass
class Findings:
    """Figures by name, each a list over all that was looked at."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, value: float) -> None:
        self.values[name].append(float(value))

    def mean(self, name: str) -> float:
        """Of everything looked at; nan where nothing was."""
        return float(np.mean(self.values[name])) if self.values[name] else math.nan

    def worst(self, name: str, percentile: float = 100) -> float:
        return float(np.percentile(self.values[name], percentile)) if self.values[name] else math.nan


def check_frames(scene: Scene, frames: int, seed: int = 1, least_px: float = 24.0) -> Findings:
    """Look at `frames` random moments of a scene, one camera each; bodies lower than `least_px` are left
    out."""
    rng = np.random.default_rng([seed, 88])
    studio, found = Studio(scene, samples=0), Findings()
    still = Triangles.of([studio.stage.shell, studio.stage.still])
    for _ in range(frames):
        frame = int(rng.integers(studio.frames()))
        camera = int(rng.integers(len(scene.cameras)))
        tableau = studio.stage.at(frame / scene.fps)
        studio.renderer.set_moving(tableau.meshes)
        shot = studio.take(frame, draw=False).shots[camera]
        view = View.of(scene.cameras[camera], tableau.time_s)
        moving = Triangles.of(tableau.meshes) if tableau.meshes else still
        everything = Triangles(
            np.concatenate([still.corners, moving.corners]), np.concatenate([still.numbers, moving.numbers])
        )
        _check_ids(found, view, shot.numbers, everything, rng)
        actors = {actor.number: actor for actor in tableau.actors}
        for label in shot.labels:
            if label.box is not None and label.box[3] - label.box[1] >= least_px:
                _check_person(found, view, label, actors[label.number], everything, rng)
        _check_hands(found, scene, tableau)
    return found


def _check_ids(
    found: Findings, view: View, numbers: NDArray[np.int32], everything: Triangles, rng: np.random.Generator
) -> None:
    """Pixels whose neighbours show the same: an edge may fall on either side."""
    width, height = view.size
    u, v = rng.integers(2, width - 2, PIXELS), rng.integers(2, height - 2, PIXELS)
    patches = np.stack([numbers[v + dy, u + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    calm = (patches == patches[0]).all(0)
    rays = view.rays(np.stack([u[calm] + 0.5, v[calm] + 0.5], axis=1))
    seen, _ = first_hits(view.at_m, rays, everything)
    for mine, theirs in zip(numbers[v[calm], u[calm]].tolist(), np.maximum(seen, 0).tolist(), strict=True):
        found.add("id agrees", mine == theirs)


def _check_person(
    found: Findings, view: View, label: Label, actor: Actor, everything: Triangles, rng: np.random.Generator
) -> None:
    assert label.box is not None
    points = actor.mesh.vertices[:, :3].astype(np.float64)
    lens, middle = view.lens, view.lens.middle_px
    matrix = np.array([[lens.focal_px, 0, middle[0]], [0, lens.focal_px, middle[1]], [0, 0, 1]])
    pixels, _ = cv2.projectPoints(
        points, view.rotation, -view.rotation @ view.at_m, matrix, np.array([lens.k1, lens.k2, 0, 0])
    )
    flat = pixels.reshape(-1, 2)
    local = view.seen(points)
    if np.linalg.norm(local[:, :2] / local[:, 2:], axis=1).max() < lens.straight_from:
        theirs = np.array([*flat.min(0), *flat.max(0)])
        found.add("box error px", np.abs(theirs - np.array(label.box)).max())
    body = Triangles.of([actor.mesh])
    x0, y0, x1, y1 = label.box
    places = np.stack([rng.uniform(x0, x1, RAYS), rng.uniform(y0, y1, RAYS)], axis=1)
    rays = view.rays(places)
    alone, _ = first_hits(view.at_m, rays, body)
    on = alone >= 0
    if on.sum() >= 60:
        within = ((places >= 0) & (places < np.array(view.size))).all(1)
        seen, _ = first_hits(view.at_m, rays[on & within], everything)
        share = float((seen == label.number).sum() / on.sum())
        found.add("visible error", abs(share - label.visible))
        found.add("within error", abs(float((on & within).sum() / on.sum()) - label.within))
    names = [name for name in label.joints if name != "nose"]
    rays = view.rays(np.array([label.joints[name][:2] for name in names]))
    for name, ray in zip(names, rays, strict=True):
        truly = float(np.linalg.norm(actor.moment.joints[name] - view.at_m))
        start = view.at_m + ray * (truly - JOINT_M)
        _, far = first_hits(start, ray[None], body)
        found.add("joint in body", bool(far[0] < 2 * JOINT_M))
    if actor.person.uses != "wheelchair":
        lowest = points[points[:, 2] < points[:, 2].min() + 0.04]
        found.add("lowest point m", abs(points[:, 2].min()))
        away = lowest[:, :2].mean(0) - np.array(label.floor_m)
        found.add("floor place error m", float(np.linalg.norm(away)))


def _check_hands(found: Findings, scene: Scene, tableau: Tableau) -> None:
    for actor in tableau.actors:
        moment = actor.moment
        if moment.touches is not None and moment.held is None:
            rack = scene.rack(moment.touches)
            found.add("hand from rack m", min(_from_rack(rack, hand) for hand in moment.hands.values()))
        if moment.held is not None:
            hook = np.array(moment.held.at_m)
            found.add(
                "hand from held m", min(float(np.linalg.norm(hook - hand)) for hand in moment.hands.values())
            )
        if moment.touches is None and moment.standing.speed_mps > 0.5:
            nearest = min(
                (_from_rack(rack, hand) for rack in scene.racks for hand in moment.hands.values()),
                default=9.0,
            )
            found.add("walker's hand clear of racks", nearest > 0.0)


def _from_rack(rack: SceneRack, point: Floats) -> float:
    """How far a point is from the room that a rack's garments take, metres."""
    turn = math.radians(rack.heading_deg)
    dx, dy = point[0] - rack.at[0], point[1] - rack.at[1]
    along, aside = dx * math.cos(turn) + dy * math.sin(turn), -dx * math.sin(turn) + dy * math.cos(turn)
    gaps = (
        abs(along) - rack.length_m / 2,
        abs(aside) - 0.24,
        rack.height_m - 1.1 - point[2],
        point[2] - rack.height_m,
    )
    return float(np.linalg.norm([max(0.0, gap) for gap in gaps]))


def limits(found: Findings) -> list[tuple[str, float, str, bool]]:
    """What was found: name, figure, what it must be, whether it is."""
    rows = [
        (
            "pixels away from edges whose id a ray confirms",
            found.mean("id agrees"),
            ">= 0.995",
            found.mean("id agrees") >= 0.995,
        ),
        ("box error, worst, px", found.worst("box error px"), "<= 0.1", found.worst("box error px") <= 0.1),
        (
            "visible share error, mean",
            found.mean("visible error"),
            "<= 0.03",
            found.mean("visible error") <= 0.03,
        ),
        (
            "visible share error, 99th percentile",
            found.worst("visible error", 99),
            "<= 0.12",
            found.worst("visible error", 99) <= 0.12,
        ),
        (
            "share within the picture, error, mean",
            found.mean("within error"),
            "<= 0.03",
            found.mean("within error") <= 0.03,
        ),
        (
            "joints that lie in the body",
            found.mean("joint in body"),
            ">= 0.97",
            found.mean("joint in body") >= 0.97,
        ),
        (
            "soles from the floor, worst, m",
            found.worst("lowest point m"),
            "<= 0.05",
            found.worst("lowest point m") <= SOLE_M,
        ),
        (
            "floor place from the soles, median, m",
            found.worst("floor place error m", 50),
            "<= 0.25",
            found.worst("floor place error m", 50) <= 0.25,
        ),
        (
            "hand from the rack it is at, worst, m",
            found.worst("hand from rack m"),
            "<= 0.3",
            not found.worst("hand from rack m") > HAND_M,
        ),
        (
            "hand from the garment it holds, worst, m",
            found.worst("hand from held m"),
            "<= 0.1",
            not found.worst("hand from held m") > 0.1,
        ),
    ]
    return [row for row in rows if not math.isnan(row[1])]
