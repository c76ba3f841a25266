"""What else stands, hangs or is carried in a shop: mannequins, mirrors, trolleys, bags, wheelchairs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.scene.spec import Prop
from engines.training.synthetic.drawing.fittings import DARK, METAL
from engines.training.synthetic.drawing.meshes import Mesh, box, joined, mesh, sheet, tube, wheel
from engines.training.synthetic.drawing.textures import Textures, colour_of_cloth, poster


def prop_mesh(thing: Prop, textures: Textures) -> Mesh:
    """A thing that is no mannequin, at its place; its front looks along its heading."""
    rng = np.random.default_rng([thing.seed, 77])
    wide, high = thing.size_m or {
        "poster": (0.9, 1.3),
        "mirror": (0.6, 1.8),
        "pillar": (0.4, 3.2),
        "till": (1.4, 1.0),
        "plinth": (0.6, 0.15),
        "screen": (1.1, 0.65),
        "plant": (0.5, 1.4),
    }.get(thing.kind, (0.5, 0.9))
    if thing.kind in ("poster", "screen"):
        bright = 1.0 if thing.kind == "poster" else 1.6
        layer = textures.add(poster(rng))
        out = sheet([wide / 2, -0.02, 0], [-wide, 0, 0], [0, 0, high], (bright,) * 3, layer)
        out = joined([out, box([-wide / 2 - 0.02, -0.015, -0.02], [wide / 2 + 0.02, 0.0, high + 0.02], DARK)])
        out = out.moved([0, 0, 0], math.pi)
    elif thing.kind == "mirror":
        out = box([-wide / 2 - 0.03, -0.03, 0], [wide / 2 + 0.03, 0.005, high + 0.03], METAL)
    elif thing.kind == "pillar":
        out = box([-wide / 2, -wide / 2, 0], [wide / 2, wide / 2, high], (0.72, 0.72, 0.7))
    elif thing.kind == "plinth":
        out = box([-wide / 2, -wide / 2, 0], [wide / 2, wide / 2, high], (0.8, 0.8, 0.8))
    elif thing.kind == "till":
        out = joined(
            [
                box([-wide / 2, -0.35, 0], [wide / 2, 0.35, high], (0.55, 0.5, 0.45)),
                box([-0.2, -0.1, high], [0.2, 0.0, high + 0.33], DARK),
                box([0.3, -0.2, high], [0.5, 0.15, high + 0.1], DARK),
            ]
        )
    elif thing.kind == "plant":
        leaves = [
            tube(
                [[0, 0, 0.4], [*(rng.normal(0, 0.18, 2)), rng.uniform(0.8, high)]],
                0.05,
                (0.1, rng.uniform(0.2, 0.4), 0.1),
                4,
            )
            for _ in range(14)
        ]
        out = joined([box([-0.18, -0.18, 0], [0.18, 0.18, 0.42], (0.5, 0.3, 0.2)), *leaves])
    elif thing.kind == "trolley":
        out = trolley_mesh()
    else:
        out = basket_mesh(colour_of_cloth(rng))
    return out.moved([*thing.at, thing.base_m], math.radians(thing.heading_deg) - math.pi / 2)


def trolley_mesh() -> Mesh:
    """A shopping trolley: its handle at y = 0, its front at +y."""
    bars = [
        tube([[x, 0.08, 0.55], [x, 0.85, 0.6], [x, 0.88, 0.95], [x, 0.0, 1.0]], 0.012, METAL, 4)
        for x in np.linspace(-0.25, 0.25, 6)
    ]
    bars += [
        tube([[-0.26, 0, 1.0], [0.26, 0, 1.0]], 0.018, (0.7, 0.1, 0.1)),
        tube([[-0.25, 0.1, 0.12], [-0.2, 0.85, 0.12]], 0.015, METAL),
    ]
    bars += [
        tube([[0.25, 0.1, 0.12], [0.2, 0.85, 0.12]], 0.015, METAL),
        tube([[0, 0.1, 0.12], [0, 0.3, 0.56]], 0.015, METAL),
    ]
    bars += [
        tube([[-0.25, y, z], [0.25, y, z]], 0.008, METAL, 4)
        for y, z in ((0.2, 0.55), (0.5, 0.57), (0.85, 0.6), (0.87, 0.8), (0.88, 0.95))
    ]
    bars += [wheel([x, y, 0.06], 0.06, [1, 0, 0], DARK) for x in (-0.24, 0.24) for y in (0.1, 0.85)]
    return joined(bars)


def basket_mesh(colour: NDArray[np.floating]) -> Mesh:
    """A shopping basket on the floor, its handle up."""
    sides = [
        box([-0.21, -0.15, 0], [0.21, -0.135, 0.22], colour),
        box([-0.21, 0.135, 0], [0.21, 0.15, 0.22], colour),
        box([-0.21, -0.15, 0], [-0.195, 0.15, 0.22], colour),
        box([0.195, -0.15, 0], [0.21, 0.15, 0.22], colour),
        box([-0.2, -0.14, 0], [0.2, 0.14, 0.015], colour),
    ]
    return joined(
        [*sides, tube([[-0.2, 0, 0.22], [-0.12, 0, 0.4], [0.12, 0, 0.4], [0.2, 0, 0.22]], 0.012, DARK)]
    )


def bag_mesh(colour: NDArray[np.floating]) -> Mesh:
    """A carrier bag, its handle at the origin."""
    return joined(
        [
            box([-0.06, -0.17, -0.55], [0.06, 0.17, -0.2], colour),
            tube([[0, -0.1, -0.2], [0, 0, 0.0], [0, 0.1, -0.2]], 0.008, DARK, 4),
        ]
    )


def pram_mesh(colour: NDArray[np.floating]) -> Mesh:
    """A pram: its handle at y = 0, its front at +y."""
    u, v = np.meshgrid(np.linspace(0, np.pi, 9), np.linspace(-0.22, 0.22, 3))
    hood = mesh(
        np.stack([v, 0.45 - 0.22 * np.cos(u), 0.78 + 0.25 * np.sin(u)], -1).reshape(-1, 3),
        np.concatenate(
            [
                (np.arange(2)[:, None] * 9 + np.arange(8)).reshape(-1, 1) + corner
                for corner in ([0, 1, 10], [0, 10, 9])
            ]
        ),
        colour,
    )
    bed = box([-0.22, 0.2, 0.5], [0.22, 1.0, 0.76], colour)
    bars = [tube([[x, 0, 0.98], [x, 0.35, 0.55], [x, 0.9, 0.12]], 0.014, METAL) for x in (-0.2, 0.2)]
    bars += [tube([[x, 0.25, 0.12], [x, 0.8, 0.52]], 0.014, METAL) for x in (-0.2, 0.2)] + [
        tube([[-0.2, 0, 0.98], [0.2, 0, 0.98]], 0.018, DARK)
    ]
    bars += [wheel([x, y, 0.12], 0.11, [1, 0, 0], DARK) for x in (-0.24, 0.24) for y in (0.25, 0.9)]
    return joined([hood, bed, *bars])


def wheelchair_mesh() -> Mesh:
    """A wheelchair under a person who sits at the origin and looks along +y."""
    parts = [
        box([-0.22, -0.2, 0.46], [0.22, 0.28, 0.5], DARK),
        box([-0.22, -0.24, 0.5], [0.22, -0.2, 0.95], DARK),
    ]
    parts += [wheel([x, -0.12, 0.3], 0.3, [1, 0, 0], DARK, 0.016) for x in (-0.28, 0.28)]
    parts += [wheel([x, 0.36, 0.09], 0.09, [1, 0, 0], DARK) for x in (-0.22, 0.22)]
    parts += [tube([[x, 0.25, 0.48], [x, 0.42, 0.1]], 0.013, METAL) for x in (-0.2, 0.2)]
    parts += [tube([[x, -0.2, 0.7], [x, 0.2, 0.7]], 0.015, METAL) for x in (-0.25, 0.25)]
    parts += [box([x - 0.07, 0.38, 0.08], [x + 0.07, 0.58, 0.1], METAL) for x in (-0.11, 0.11)]
    return joined(parts)
