"""`parts.npz`: bodies of all ages and sizes, clothes and hair, as `bake` left them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.training.synthetic.people.bake import POINTS, fitted
from engines.training.synthetic.people.bones import BONES, TIPS

FILE = Path(__file__).parent / "parts.npz"
Floats = NDArray[np.float32]
Faces = NDArray[np.int32]
LEVELS = ("near", "far")
MIN_GROWN_M, GROWN_YEARS = 1.42, 16
"""Nobody older is drawn smaller."""


@dataclass(frozen=True)
class Shape:
    """A body at rest: base mesh points (POINTS, 3), joints (len(BONES), 3), tips (len(TIPS), 3); who it
    is."""

    points: Floats
    joints: Floats
    tips: Floats
    female: bool
    years: float

    @property
    def height_m(self) -> float:
        """Of the bare body (the first 13,380 points; helpers follow)."""
        return float(np.ptp(self.points[:13380, 2]))


@dataclass(frozen=True)
class Garment:
    """Clothes or hair: where its points hang on the body, what of the body it hides, its pieces, its
    faces."""

    name: str
    anchors: NDArray[np.int64]
    shares: Floats
    offsets: Floats
    scales: Floats
    hidden: NDArray[np.bool_]
    pieces: NDArray[np.int64]
    faces: dict[str, Faces]

    def on(self, shape: Shape) -> Floats:
        """Its points (n, 3) on a body at rest."""
        return fitted(shape.points, self.anchors, self.shares, self.offsets, self.scales)


class Parts:
    """Everything in `parts.npz`."""

    def __init__(self, path: Path = FILE) -> None:
        with np.load(path) as stored:
            self._all: dict[str, NDArray[Any]] = {name: stored[name] for name in stored.files}
        self.skin = np.zeros((POINTS, len(BONES)), np.float32)
        """Weights (POINTS, len(BONES)) of bones for each point, rows summing to 1."""
        np.put_along_axis(
            self.skin,
            self._all["skin_bones"].astype(np.int64),
            self._all["skin_weights"].astype(np.float32),
            1,
        )
        self.skin /= np.maximum(self.skin.sum(1, keepdims=True), 1e-6)
        self._basis = self._all["basis"].astype(np.float32)

    def shape(self, rng: np.random.Generator, female: bool, years: float) -> Shape:
        """A body of that sex and about that age."""
        figures = self._all["figures"]
        apart = np.abs(figures[:, 1] - years) + 1000 * (figures[:, 0] != female)
        order = np.argsort(apart, kind="stable")
        place = int(rng.integers(8))
        while (shape := self.body(int(order[place]))).height_m < MIN_GROWN_M and shape.years > GROWN_YEARS:
            place += 1
        return shape

    def body(self, number: int) -> Shape:
        """One of the stored bodies."""
        flat = self._all["places"][number] @ self._basis
        whole = self._all["mean"] + flat.reshape(-1, 3)
        joints, tips = whole[POINTS : POINTS + len(BONES)], whole[POINTS + len(BONES) :]
        assert len(tips) == len(TIPS)
        figure = self._all["figures"][number]
        return Shape(whole[:POINTS], joints, tips, bool(figure[0]), float(figure[1]))

    def base_faces(self, group: str) -> dict[str, Faces]:
        """Faces of a group of the base mesh by level of detail."""
        return {level: self._all[f"base/{group}/{level}"].astype(np.int32) for level in LEVELS}

    def names(self, kind: str) -> list[str]:
        """Names of the garments of a kind: suit, shoes, hair, hat."""
        return sorted({key.split("/")[1] for key in self._all if key.startswith(f"{kind}/")})

    def garment(self, kind: str, name: str) -> Garment:
        """One garment."""
        found = {
            key: self._all[f"{kind}/{name}/{key}"]
            for key in ("anchors", "shares", "offsets", "scales", "pieces")
        }
        hidden = np.unpackbits(self._all[f"{kind}/{name}/hidden"], count=POINTS).astype(bool)
        faces = {level: self._all[f"{kind}/{name}/{level}"].astype(np.int32) for level in LEVELS}
        return Garment(
            name,
            found["anchors"].astype(np.int64),
            found["shares"].astype(np.float32),
            found["offsets"].astype(np.float32),
            found["scales"],
            hidden,
            found["pieces"].astype(np.int64),
            faces,
        )


@cache
def parts() -> Parts:
    """The parts, read once."""
    return Parts()
