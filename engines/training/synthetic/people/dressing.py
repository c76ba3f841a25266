"""A person's body, clothes and hair from a look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.scene.spec import PersonLook
from engines.training.synthetic.drawing.textures import Textures
from engines.training.synthetic.people.layers import Level, Pieces
from engines.training.synthetic.people.parts import LEVELS, Parts, Shape
from engines.training.synthetic.people.tailor import Tailor

SKIN = (
    (0.92, 0.74, 0.64),
    (0.85, 0.66, 0.53),
    (0.76, 0.56, 0.43),
    (0.6, 0.42, 0.3),
    (0.42, 0.28, 0.2),
    (0.3, 0.2, 0.15),
)
HAIR = (
    (0.05, 0.04, 0.035),
    (0.12, 0.08, 0.05),
    (0.22, 0.14, 0.08),
    (0.4, 0.28, 0.15),
    (0.65, 0.52, 0.32),
    (0.35, 0.12, 0.06),
)
GREY = ((0.55, 0.54, 0.52), (0.75, 0.74, 0.72), (0.3, 0.29, 0.28))


@dataclass(frozen=True)
class Dressed:
    """A person ready to be posed. `ground_m` is the z of the soles at rest; `outfit` names the clothes where
    they are one of the whole outfits, else it is empty."""

    shape: Shape
    height_m: float
    ground_m: float
    levels: dict[str, Level]
    headless: bool = False
    outfit: str = ""


def dress(look: PersonLook, parts: Parts, textures: Textures, mannequin: bool = False) -> Dressed:
    """The person of a look; the same look is the same person."""
    rng = np.random.default_rng([look.seed, 5077])
    female = bool(rng.random() < 0.5) if look.female is None else look.female
    female = female or look.headscarf
    years = (
        look.years
        if look.years is not None
        else float(
            rng.choice([rng.uniform(16, 32), rng.uniform(30, 60), rng.uniform(58, 80)], p=[0.4, 0.42, 0.18])
        )
    )
    if mannequin:
        years = 27.0
    shape = parts.shape(rng, female, years)
    pieces = Pieces()
    tailor = Tailor(rng, parts, shape, textures, pieces, look)
    hidden = tailor.clothes()
    hidden |= tailor.shoes()
    skin = np.array(SKIN[rng.choice(6, p=[0.3, 0.22, 0.18, 0.12, 0.1, 0.08])]) * rng.uniform(0.9, 1.06)
    greying = years > 58 and rng.random() < 0.8
    hair = np.array(
        GREY[rng.integers(3)] if greying else HAIR[rng.choice(6, p=[0.3, 0.24, 0.2, 0.12, 0.08, 0.06])]
    )
    headless = mannequin and bool(rng.random() < 0.4)
    if mannequin:
        skin = (
            np.ones(3) * rng.choice([0.85, 0.08, 0.6]) * (rng.uniform(0.9, 1, 3) if rng.random() < 0.3 else 1)
        )
    bald = mannequin or (not female and years > 30 and rng.random() < 0.15)
    if look.headscarf:
        tailor.headscarf()
    elif not bald:
        tailor.hair(female, hair)
    if not mannequin and not look.headscarf and rng.random() < 0.06:
        tailor.hat()
    tailor.body(hidden, skin, None if bald or look.headscarf else hair, headless)
    ground = pieces.lowest_m()
    height = float(shape.points[:13380, 2].max()) - ground
    levels = {level: pieces.level(level, height, ground) for level in LEVELS}
    return Dressed(shape, height, ground, levels, headless, tailor.outfit)
