"""A skeleton that reaches: forward kinematics over `BONES`, arms and legs by two-bone inverse kinematics.

At rest a body looks along -y with its left at +x. Targets are in body axes: metres from the point on the
floor below the body, x to the left, y backwards, z up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.training.synthetic.drawing.meshes import COLUMNS, Mesh
from engines.training.synthetic.people.bones import BONES, INDEX, PARENTS
from engines.training.synthetic.people.dressing import Dressed
from engines.training.synthetic.people.layers import Level

Floats = NDArray[np.float64]
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "head")
STRETCH = 0.995
JOINTS = {
    "nose": "head",
    "left_shoulder": "upperarm01.L",
    "right_shoulder": "upperarm01.R",
    "left_elbow": "lowerarm01.L",
    "right_elbow": "lowerarm01.R",
    "left_wrist": "wrist.L",
    "right_wrist": "wrist.R",
    "left_hip": "upperleg01.L",
    "right_hip": "upperleg01.R",
    "left_knee": "lowerleg01.L",
    "right_knee": "lowerleg01.R",
    "left_ankle": "foot.L",
    "right_ankle": "foot.R",
}
"""COCO's names of the joints that are labelled."""


@dataclass
class Pose:
    """What a body does. Angles in radians; `hands` and `feet` by side (1 left, -1 right): a hand's target
    (3,) or None where it hangs, a foot's (x, y, lift) and its turn and pitch. `shift` moves the hips (x,
    y)."""

    lean: float = 0.0
    twist: float = 0.0
    side_lean: float = 0.0
    head_turn: float = 0.0
    head_nod: float = 0.0
    shift: Floats = field(default_factory=lambda: np.zeros(2))
    hip_drop_m: float = 0.0
    hands: dict[int, Floats | None] = field(default_factory=lambda: {1: None, -1: None})
    hang_forward_m: dict[int, float] = field(default_factory=lambda: {1: 0.0, -1: 0.0})
    feet: dict[int, tuple[Floats, float, float]] = field(default_factory=dict)
    elbow_out: float = 0.5
    seated_m: float | None = None


@dataclass(frozen=True)
class Posed:
    """Bones' turns (n, 3, 3) and places (n, 3) in body axes, and a function of them: joints and knuckles."""

    turns: Floats
    places: Floats
    knuckles: dict[int, Floats]
    joints: dict[str, Floats]


def rot_x(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rot_y(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rot_z(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def between(a: Floats, b: Floats) -> Floats:
    """The smallest rotation that takes a's direction to b's."""
    ax, ay, az = (a / math.sqrt(a @ a)).tolist()
    bx, by, bz = (b / math.sqrt(b @ b)).tolist()
    cosine = ax * bx + ay * by + az * bz
    if cosine < -0.9999:
        return np.diag([1.0, -1.0, -1.0])
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    k = 1 / (1 + cosine)
    return np.array(
        [
            [cosine + k * x * x, k * x * y - z, k * x * z + y],
            [k * x * y + z, cosine + k * y * y, k * y * z - x],
            [k * x * z - y, k * y * z + x, cosine + k * z * z],
        ]
    )


def two_bones(
    start: Floats, target: Floats, upper_m: float, lower_m: float, pole: Floats
) -> tuple[Floats, Floats]:
    """Middle joint and end of a limb from `start` towards `target`; the middle bends towards `pole`. A
    target out of reach is approached."""
    away = target - start
    far = float(np.linalg.norm(away))
    reach = float(np.clip(far, abs(upper_m - lower_m) + 0.02, (upper_m + lower_m) * STRETCH))
    along = away / max(far, 1e-6)
    at = (upper_m**2 - lower_m**2 + reach**2) / (2 * reach)
    out = pole - along * (pole @ along)
    out /= max(float(np.linalg.norm(out)), 1e-6)
    return start + along * at + out * np.sqrt(max(upper_m**2 - at**2, 0.0)), start + along * reach


def pose(person: Dressed, wanted: Pose) -> Posed:
    """Bend a person's skeleton."""
    heads = person.shape.joints.astype(np.float64) - [0, 0, person.ground_m]
    own: dict[int, Floats] = {}
    for step, name in enumerate(SPINE, 1):
        share = step / len(SPINE)
        own[INDEX[name]] = (
            rot_z(wanted.twist * share) @ rot_y(wanted.side_lean * share) @ rot_x(wanted.lean * share)
        )
    for step, name in enumerate(NECK, 1):
        share = step / len(NECK)
        own[INDEX[name]] = rot_z(wanted.twist + wanted.head_turn * share) @ rot_x(
            wanted.lean * 0.6 + wanted.head_nod * share
        )
    root = np.array([wanted.shift[0], wanted.shift[1], -_drop(heads, wanted)])
    turns, places = np.tile(np.eye(3), (len(BONES), 1, 1)), np.zeros((len(BONES), 3))
    for bone, parent in enumerate(PARENTS):
        if parent < 0:
            places[bone] = heads[bone] + root
            turns[bone] = own.get(bone, np.eye(3))
            continue
        places[bone] = places[parent] + turns[parent] @ (heads[bone] - heads[parent])
        turns[bone] = own.get(bone, turns[parent])
        name = BONES[bone]
        if name.startswith("upperarm01"):
            _arm(wanted, heads, turns, places, bone, own)
        elif name.startswith("upperleg01"):
            _leg(wanted, heads, turns, places, bone, own)
    knuckles = {}
    for side, tip, wrist in ((1, 0, "wrist.L"), (-1, 1, "wrist.R")):
        at = INDEX[wrist]
        rest = person.shape.tips[tip].astype(np.float64) - [0, 0, person.ground_m]
        knuckles[side] = places[at] + turns[at] @ (rest - heads[at])
    joints = {name: places[INDEX[bone]] for name, bone in JOINTS.items()}
    head = INDEX["head"]
    ahead = np.array([0.0, -0.115, 0.055]) * person.height_m / 1.7
    joints["nose"] = places[head] + turns[head] @ ahead
    return Posed(turns, places, knuckles, joints)


def _drop(heads: Floats, wanted: Pose) -> float:
    """How far the hips sink so that both feet reach their places."""
    if wanted.seated_m is not None:
        return float(heads[INDEX["upperleg01.L"], 2] - wanted.seated_m)
    low = wanted.hip_drop_m
    for side, end in ((1, "L"), (-1, "R")):
        if side not in wanted.feet:
            continue
        hip, knee, ankle = (heads[INDEX[f"{bone}.{end}"]] for bone in ("upperleg01", "lowerleg01", "foot"))
        long = (np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee)) * STRETCH
        place = wanted.feet[side][0]
        flat = float(np.linalg.norm(place[:2] - (hip[:2] + wanted.shift)))
        reach = np.sqrt(max(long**2 - flat**2, (0.4 * long) ** 2))
        low = max(low, float(hip[2] - (ankle[2] + place[2]) - reach))
    return low


def _arm(
    wanted: Pose, heads: Floats, turns: Floats, places: Floats, bone: int, own: dict[int, Floats]
) -> None:
    side, elbow, wrist = (1 if BONES[bone].endswith("L") else -1), bone + 1, bone + 2
    upper, lower = heads[elbow] - heads[bone], heads[wrist] - heads[elbow]
    long = float(np.linalg.norm(upper) + np.linalg.norm(lower))
    target = wanted.hands[side]
    if target is None:
        forward = wanted.hang_forward_m[side]
        dangle = np.array([side * 0.07, -0.05 - forward, -0.965 * long + abs(forward) * 0.25])
        target = places[bone] + turns[INDEX["spine01"]] @ rot_x(-wanted.lean * 0.8) @ dangle
    pole = turns[INDEX["spine01"]] @ np.array([side * wanted.elbow_out, 0.6, -0.7])
    middle, end = two_bones(
        places[bone], np.asarray(target), float(np.linalg.norm(upper)), float(np.linalg.norm(lower)), pole
    )
    turns[bone] = between(upper, middle - places[bone])
    own[elbow] = between(lower, end - middle)


def _leg(
    wanted: Pose, heads: Floats, turns: Floats, places: Floats, bone: int, own: dict[int, Floats]
) -> None:
    side, knee, foot = (1 if BONES[bone].endswith("L") else -1), bone + 1, bone + 2
    upper, lower = heads[knee] - heads[bone], heads[foot] - heads[knee]
    if wanted.seated_m is not None:
        middle = places[bone] + np.array([0.02 * side, -0.97, 0.05]) * np.linalg.norm(upper)
        turns[bone] = between(upper, middle - places[bone])
        own[knee], own[foot] = between(lower, np.array([0, -0.15, -1.0])), np.eye(3)
        return
    place, turn, pitch = wanted.feet.get(side, (np.array([heads[foot, 0], heads[foot, 1], 0.0]), 0.0, 0.0))
    target = np.array([place[0], place[1], heads[foot, 2] + place[2]])
    ahead = rot_z(turn) @ np.array([side * 0.12, -1.0, 0.0])
    middle, end = two_bones(
        places[bone], target, float(np.linalg.norm(upper)), float(np.linalg.norm(lower)), ahead
    )
    turns[bone] = between(upper, middle - places[bone])
    own[knee] = between(lower, end - middle)
    own[foot] = rot_z(turn) @ rot_x(pitch)


def skinned(
    person: Dressed, level: Level, posed: Posed, to_m: Floats, heading_rad: float, number: int
) -> Mesh:
    """The dressed mesh of a pose, on the floor: at `to_m` (x, y, z), looking along `heading_rad`."""
    heads = person.shape.joints.astype(np.float64)
    world = rot_z(heading_rad + np.pi / 2)
    turns = world @ posed.turns
    shifts = posed.places @ world.T + to_m - np.einsum("nij,nj->ni", turns, heads)
    mixed = level.weights @ np.concatenate([turns.reshape(-1, 9), shifts], axis=1).astype(np.float32)
    turn = mixed[:, :9].reshape(-1, 3, 3)
    vertices = np.empty((len(level.points), COLUMNS), np.float32)
    vertices[:, :3] = np.einsum("nij,nj->ni", turn, level.points) + mixed[:, 9:]
    vertices[:, 3:6] = np.einsum("nij,nj->ni", turn, level.normals)
    vertices[:, 6:] = level.columns
    vertices[:, 12] = number
    return Mesh(vertices, level.faces)


def on_floor(points: Floats, to_m: Floats, heading_rad: float) -> Floats:
    """Points (n, 3) in body axes, on the floor."""
    return np.asarray(np.asarray(points) @ rot_z(heading_rad + np.pi / 2).T + to_m)


def in_body(points: Floats, at_m: Floats, heading_rad: float) -> Floats:
    """Floor points (n, 3) in the axes of a body that stands at (x, y, 0)."""
    return np.asarray((np.asarray(points) - at_m) @ rot_z(heading_rad + np.pi / 2))
