"""Fits a body's clothes, shoes, hair and headgear: which points they cover, and how wide they stand off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.scene.spec import PersonLook
from engines.training.synthetic.drawing.meshes import normals
from engines.training.synthetic.drawing.textures import PLAIN, Textures, cloth, colour_of_cloth
from engines.training.synthetic.people.bake import POINTS
from engines.training.synthetic.people.bones import BONES, INDEX
from engines.training.synthetic.people.layers import Pieces
from engines.training.synthetic.people.parts import Faces, Floats, Parts, Shape

SHORT = ("short01", "short02", "short03", "short04", "afro01")
LONG = ("bob01", "bob02", "long01", "ponytail01", "braid01", "short03", "afro01", "long01")
ARM, FOREARM, THIGH, SHIN, TRUNK, OTHER = range(6)


class Tailor:
    """Puts clothes on one body."""

    def __init__(
        self,
        rng: np.random.Generator,
        parts: Parts,
        shape: Shape,
        textures: Textures,
        pieces: Pieces,
        look: PersonLook,
    ) -> None:
        self._rng, self._parts, self._shape, self._textures, self._pieces = (
            rng,
            parts,
            shape,
            textures,
            pieces,
        )
        self._look = look
        self.outfit = ""
        self._tall = shape.height_m / 1.7
        joints = shape.joints
        self._hip_m, self._knee_m = joints[INDEX["upperleg01.L"], 2], joints[INDEX["lowerleg01.L"], 2]
        self._ankle_m, self._neck_m = joints[INDEX["foot.L"], 2], joints[INDEX["neck01"], 2]
        self._waist_m = self._hip_m + 0.10 * self._tall
        self._upper, self._lower, self._outer = (colour_of_cloth(rng, look.dark) for _ in range(3))
        self._upper_layer, self._lower_layer = (
            PLAIN if look.dark else textures.add(cloth(rng, lower)) for lower in (False, True)
        )

    def clothes(self) -> NDArray[np.bool_]:
        """Dress the trunk and legs; returns which points of the body are hidden."""
        grown = self._shape.years >= 12
        if grown and not self._look.headscarf and self._rng.random() < 0.5:
            return self._suit()
        return self._layers()

    def _suit(self) -> NDArray[np.bool_]:
        rng = self._rng
        names = [
            name for name in self._parts.names("suit") if name.startswith("female") == self._shape.female
        ]
        names = [name for name in names if name != "female_sportsuit01"]
        self.outfit = names[rng.integers(len(names))]
        suit = self._parts.garment("suit", self.outfit)
        points = suit.on(self._shape)
        heights = points[:, 2]
        many = suit.pieces.max() + 1
        middle = np.array([np.median(heights[suit.pieces == piece]) for piece in range(many)])
        span = np.array([np.ptp(heights[suit.pieces == piece]) for piece in range(many)])
        size = np.bincount(suit.pieces, minlength=many)
        above = np.where(
            span[suit.pieces] > 0.75 * self._tall,
            heights > self._waist_m,
            middle[suit.pieces] > self._waist_m - 0.05 * self._tall,
        )
        colour = np.where(above[:, None], self._upper, self._lower).astype(np.float32)
        layer = np.where(above, self._upper_layer, self._lower_layer)
        for piece in range(many):
            mine = suit.pieces == piece
            if middle[piece] > self._waist_m and size[piece] < size.max() * 0.9 and rng.random() < 0.6:
                colour[mine], layer[mine] = self._outer, PLAIN
            if size[piece] < 250:
                colour[mine], layer[mine] = (np.full(3, 0.05) if rng.random() < 0.6 else self._outer), PLAIN
        self._pieces.add(points, self._weights(suit.anchors, suit.shares), colour, layer, suit.faces)
        return suit.hidden

    def _layers(self) -> NDArray[np.bool_]:
        """Shirt, trousers or skirt and perhaps a jacket, cut from the tight suit of the base mesh."""
        rng, tall, points = self._rng, self._tall, self._shape.points
        faces = self._parts.base_faces("helper-tights")
        part = _regions(self._parts)
        out = normals(points, faces["near"])
        inside = np.zeros(POINTS, bool)
        inside[np.unique(faces["near"])] = True
        inside[np.unique(faces["far"])] = True
        z_m = points[:, 2]
        covered = self._look.headscarf
        sleeves = "long" if covered else rng.choice(["short", "long", "none"], p=[0.42, 0.5, 0.08])
        legs = rng.choice(
            ["long", "short", "skirt"], p=[0.72, 0.12, 0.16] if self._shape.female else [0.82, 0.18, 0]
        )
        if covered:
            legs = rng.choice(["long", "skirt"])
        loose = rng.uniform(0.006, 0.02)
        hem = self._waist_m - rng.uniform(0.05, 0.22) * tall - (0.25 * tall if covered else 0)
        shirt = (part == TRUNK) | (part == THIGH)
        if sleeves != "none":
            shirt = shirt | (part == ARM)
        if sleeves == "long":
            shirt = shirt | (part == FOREARM)
        shirt = inside & shirt & (z_m > hem) & (z_m < self._neck_m + 0.015)
        arms = np.where((part == ARM) | (part == FOREARM), 0.004, 0)
        flare = loose + np.clip((self._waist_m + 0.1 - z_m) / 0.3, 0, 1) * rng.uniform(0, 0.03) + arms
        trousers = inside & np.isin(part, (TRUNK, THIGH, SHIN)) & (z_m < self._waist_m + 0.02)
        if legs == "short":
            trousers &= z_m > self._knee_m + rng.uniform(-0.02, 0.12) * tall
        else:
            trousers &= z_m > self._ankle_m - 0.02
        if legs == "skirt":
            self._skirt(
                self._ankle_m + 0.1
                if covered
                else rng.uniform(self._knee_m - 0.25 * tall, self._knee_m + 0.2 * tall)
            )
        else:
            wide = loose * 0.7 + np.clip((self._knee_m + 0.15 - z_m) / 0.5, 0, 1) * rng.uniform(0, 0.025)
            self._cut(faces, trousers, points + out * wide[:, None], self._lower, self._lower_layer)
        self._cut(faces, shirt, points + out * flare[:, None], self._upper, self._upper_layer)
        if rng.random() < 0.35:
            jacket = inside & np.isin(part, (TRUNK, ARM, FOREARM, THIGH))
            jacket &= (z_m > self._waist_m - rng.uniform(0.1, 0.45) * tall) & (z_m < self._neck_m + 0.02)
            if rng.random() < 0.5:
                jacket &= ~((np.abs(points[:, 0]) < 0.045 * tall) & (out[:, 1] < -0.2))
            self._cut(
                faces,
                jacket,
                points + out * (flare + 0.014 + rng.uniform(0, 0.015))[:, None],
                self._outer,
                PLAIN,
            )
        return np.zeros(POINTS, bool)

    def _skirt(self, hem_m: float) -> None:
        faces = self._parts.base_faces("helper-skirt")
        above = self._shape.points[:, 2] > hem_m
        self._cut(faces, above, self._shape.points, self._lower, self._lower_layer)

    def shoes(self) -> NDArray[np.bool_]:
        """Any pair; returns which points of the body they hide."""
        names = self._parts.names("shoes")
        shoes = self._parts.garment("shoes", names[self._rng.integers(len(names))])
        colour = (
            colour_of_cloth(self._rng, True) if self._rng.random() < 0.7 else colour_of_cloth(self._rng) * 0.8
        )
        self._pieces.add(
            shoes.on(self._shape), self._weights(shoes.anchors, shoes.shares), colour, PLAIN, shoes.faces
        )
        return shoes.hidden

    def hair(self, female: bool, colour: NDArray[np.floating]) -> None:
        names = LONG if female else SHORT
        hair = self._parts.garment("hair", names[self._rng.integers(len(names))])
        shade = np.clip(colour * self._rng.uniform(0.75, 1.2, (len(hair.anchors), 1)), 0, 1)
        self._pieces.add(
            hair.on(self._shape), self._weights(hair.anchors, hair.shares), shade, PLAIN, hair.faces
        )

    def headscarf(self) -> None:
        """The volume of the base mesh around head and neck, less the face."""
        faces, points = self._parts.base_faces("helper-hair"), self._shape.points
        head = self._shape.joints[INDEX["head"]]
        keep = ~(
            (points[:, 1] < head[1] - 0.075 * self._tall)
            & (points[:, 2] > head[2] - 0.01)
            & (points[:, 2] < head[2] + 0.13 * self._tall)
        )
        keep &= points[:, 2] > self._neck_m - 0.12 * self._tall
        self._cut(faces, keep, points, colour_of_cloth(self._rng, self._look.dark), PLAIN)

    def hat(self) -> None:
        hat = self._parts.garment("hat", "fedora")
        self._pieces.add(
            hat.on(self._shape), self._weights(hat.anchors, hat.shares), self._outer, PLAIN, hat.faces
        )

    def body(
        self,
        hidden: NDArray[np.bool_],
        skin: NDArray[np.floating],
        hair: NDArray[np.floating] | None,
        headless: bool,
    ) -> None:
        points = self._shape.points
        colour = np.tile(np.asarray(skin, np.float32), (POINTS, 1)) * (
            1 + self._rng.normal(0, 0.02, (POINTS, 1))
        )
        head, top = self._shape.joints[INDEX["head"]], points[:13380, 2].max()
        if hair is not None:
            crown = points[:, 2] > top - 0.055 * self._tall
            back = (points[:, 1] > head[1]) & (points[:, 2] > head[2] + 0.02)
            colour[(points[:, 2] > head[2]) & (crown | back)] = hair
        shown = {
            level: faces[~hidden[faces].all(1)] for level, faces in self._parts.base_faces("body").items()
        }
        if headless:
            shown = {
                level: faces[(points[faces][:, :, 2] < self._neck_m + 0.05 * self._tall).all(1)]
                for level, faces in shown.items()
            }
        self._pieces.add(points, self._parts.skin, colour, PLAIN, shown)
        for eye in ("helper-l-eye", "helper-r-eye"):
            if not headless:
                self._pieces.add(
                    points, self._parts.skin, np.full(3, 0.12), PLAIN, self._parts.base_faces(eye)
                )

    def _cut(
        self,
        faces: dict[str, Faces],
        keep: NDArray[np.bool_],
        points: Floats,
        colour: NDArray[np.floating],
        layer: float,
    ) -> None:
        kept = {level: triangles[keep[triangles].all(1)] for level, triangles in faces.items()}
        if len(kept["near"]):
            self._pieces.add(points.astype(np.float32), self._parts.skin, colour, layer, kept)

    def _weights(self, anchors: NDArray[np.int64], shares: Floats) -> Floats:
        """Of a garment's points, from its anchors' weights."""
        weights = (self._parts.skin[anchors] * np.maximum(shares, 0)[..., None]).sum(1)
        return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-6), np.float32)


def _regions(parts: Parts) -> NDArray[np.int64]:
    """Which part of the body each point belongs to, by its heaviest bone."""
    of = {
        "upperarm01": ARM,
        "lowerarm01": FOREARM,
        "upperleg01": THIGH,
        "lowerleg01": SHIN,
        "root": TRUNK,
        "spine05": TRUNK,
        "spine04": TRUNK,
        "spine03": TRUNK,
        "spine02": TRUNK,
        "spine01": TRUNK,
    }
    table = np.array([of.get(bone.split(".")[0], OTHER) for bone in BONES])
    return np.asarray(table[parts.skin.argmax(1)])
