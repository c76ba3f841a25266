"""Patterns, drawn: cloth, floors, posters. No photograph is used."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
SIDE = 128
PLAIN = 0
"""The layer that is white."""


class Textures:
    """Layers of `SIDE` x `SIDE` RGB; layer 0 is white."""

    def __init__(self) -> None:
        self.layers: list[Picture] = [np.full((SIDE, SIDE, 3), 255, np.uint8)]

    def add(self, picture: NDArray[np.floating] | Picture) -> float:
        """A new layer; returns its number."""
        if picture.shape[:2] != (SIDE, SIDE):
            small = cv2.resize(picture.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            return self.add(np.asarray(small, np.float32))
        self.layers.append(np.clip(picture, 0, 255).astype(np.uint8))
        return float(len(self.layers) - 1)


def colour_of_cloth(rng: np.random.Generator, dark: bool = False) -> NDArray[np.float64]:
    """RGB 0 to 1, as clothes are: much grey, blue and beige."""
    kind = rng.random()
    if dark:
        return np.asarray(np.clip(rng.uniform(0.015, 0.07) + rng.normal(0, 0.006, 3), 0.01, 0.1))
    if kind < 0.38:
        colour = rng.choice([0.03, 0.06, 0.1, 0.2, 0.35, 0.6, 0.85]) + rng.normal(0, 0.02, 3)
    elif kind < 0.56:
        colour = np.array([0.08, 0.12, 0.25]) * rng.uniform(0.5, 2.2)
    elif kind < 0.68:
        colour = np.array([0.5, 0.42, 0.3]) * rng.uniform(0.4, 1.4)
    else:
        colour = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.3, 0.85), rng.uniform(0.2, 0.9)))
    return np.asarray(np.clip(colour, 0.015, 0.95))


def cloth(rng: np.random.Generator, lower: bool = False) -> Picture:
    """Plain, stripes, checks, dots, a print on the chest, denim. Grey values multiply the cloth's colour."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    out = np.full((SIDE, SIDE, 3), 255.0)
    dark, tint = rng.uniform(0.15, 0.8), rng.uniform(0.3, 1.6, 3) if rng.random() < 0.5 else np.ones(3)
    kind = rng.random() if not lower else rng.random() * 0.55 + (0.45 if rng.random() < 0.15 else 0)
    if kind < 0.44:
        pass
    elif kind < 0.56:
        out[np.sin(2 * np.pi * rng.integers(6, 30) * y) > rng.uniform(-0.5, 0.5)] *= dark * tint
    elif kind < 0.63:
        out[np.sin(2 * np.pi * rng.integers(8, 34) * x) > rng.uniform(-0.3, 0.7)] *= dark * tint
    elif kind < 0.75:
        many = rng.integers(6, 18)
        crossing = (np.sin(4 * np.pi * many * x) > 0) * 1.0 + (np.sin(2 * np.pi * many * y) > 0)
        out *= (1 - (1 - dark) * crossing / 2)[..., None]
    elif kind < 0.82:
        many = rng.integers(8, 22)
        out[np.hypot(np.mod(x * many, 1) - 0.5, np.mod(y * many, 1) - 0.5) < 0.25] *= dark * tint
    else:
        _print(out, rng)
    folds = cv2.resize(
        rng.normal(0, 1, (10, 10)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
    )
    grain = rng.normal(0, 0.05 if lower else 0.02, (SIDE, SIDE))
    return np.asarray(np.clip(out * (1 + 0.07 * folds + grain)[..., None], 0, 255), np.uint8)


def _print(out: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Shapes or a word on the chest (u = 0.25 is the middle of the front)."""
    left, top = int(SIDE * 0.19), int(SIDE * 0.66)
    wide, high = int(SIDE * 0.12), int(SIDE * 0.16)
    patch = np.full((high, wide, 3), 255, np.uint8)
    for _ in range(rng.integers(1, 5)):
        colour = tuple(int(v) for v in rng.integers(10, 255, 3))
        at = tuple(int(v) for v in rng.integers(0, min(wide, high), 2))
        if rng.random() < 0.5:
            cv2.circle(patch, at, int(rng.integers(3, 10)), colour, -1)
        else:
            cv2.putText(
                patch,
                "".join(rng.choice(list("AEKMORSTX"), 3)),
                (0, int(rng.integers(8, high))),
                0,
                0.3,
                colour,
                1,
            )
    out[top : top + high, left : left + wide] = patch[::-1]


def floor(kind: str, rng: np.random.Generator) -> Picture:
    """Tiles, boards, carpet or plain."""
    base = np.full((SIDE, SIDE, 3), 232.0)
    if kind == "tiles":
        base[:3] = base[:, :3] = 150
    elif kind == "boards":
        for board in range(8):
            base[board * 16 : board * 16 + 16] = rng.uniform(165, 240)
            base[board * 16] = 110
            base[board * 16 : board * 16 + 16, int(rng.integers(SIDE))] = 120
    noise = 14 if kind == "carpet" else 5
    return np.asarray(np.clip(base + rng.normal(0, noise, (SIDE, SIDE, 1)), 0, 255), np.uint8)


def poster(rng: np.random.Generator) -> Picture:
    """Words and shapes on a coloured ground."""
    ground = 255 * np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.7), rng.uniform(0.5, 1)))
    out = np.tile(ground, (SIDE, SIDE, 1)).astype(np.uint8)
    for _ in range(rng.integers(2, 7)):
        colour = tuple(int(v) for v in rng.integers(10, 255, 3))
        a, b = (tuple(int(v) for v in rng.integers(0, SIDE, 2)) for _ in range(2))
        if rng.random() < 0.5:
            cv2.rectangle(out, a, b, colour, -1)
        else:
            cv2.circle(out, a, int(rng.integers(8, 40)), colour, -1)
    word = str(rng.choice(["SALE", "NEW", "-30%", "LINEN", "DENIM", "SPRING"]))
    cv2.putText(
        out,
        word,
        (6, int(rng.integers(25, 120))),
        0,
        1.1,
        (250, 250, 250) if ground.mean() < 140 else (20, 20, 20),
        3,
    )
    return np.asarray(out[::-1])
