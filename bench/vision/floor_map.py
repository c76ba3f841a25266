"""How well a floor map predicts what it was not measured on, within 8 m of the camera.

The boutique's cameras have a lens that bends straight lines, and their true floor is known. Somebody measures
each of them many times: points spread over the floor in view, clicked to `CLICK_PX` and taped to `TAPE_M`, as
on the page Calibrate. Each point is left out in turn; the figure is by how much the others miss it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import click
import numpy as np
from numpy.typing import NDArray

from runtime.config import Zone
from runtime.console.measuring.judging import POOR_LEFT_OUT_M, ShopFloor, judge

CLICK_PX, TAPE_M = 2.0, 0.02
NEAR_M = 8.0
POINTS = 10
EDGE_SHARE = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MeasuredMaps:
    """One camera, measured `times` times: refused how often, and centimetres of points left out."""

    camera: str
    times: int
    refused: int
    points: int
    median_cm: float
    p95_cm: float


@click.command()
@click.option("--times", type=click.IntRange(1, 1000), default=20, help="Measurements of each camera.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def floor(times: int, as_json: bool) -> None:
    """How well a measured floor map predicts points that were left out.

    \b
    Example:
      tagsight bench floor --times 20
    """
    found = measure_all(times)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    for one in found:
        click.echo(
            f"{one.camera}: {one.times} measurements, {one.refused} refused; {one.points} points within "
            f"{NEAR_M:g} m left out in turn: median {one.median_cm:.1f} cm, 95 % within {one.p95_cm:.1f} cm "
            f"({100 * POOR_LEFT_OUT_M:.0f} cm is the mark)"
        )


def measure_all(times: int) -> list[MeasuredMaps]:
    """Every camera of the boutique."""
    from engines.scene.optics import View
    from runtime.demo.boutique.store import Boutique
    from runtime.demo.staging import plan_point

    scene = Boutique.shipped().scene
    width, depth = scene.room.size_m
    x, y = np.meshgrid(np.arange(0.2, width, 0.1), np.arange(0.2, depth, 0.1))
    grid = np.column_stack([x.ravel(), y.ravel()])
    plan: Floats = np.array([plan_point(scene, point) for point in grid.tolist()])
    extent = (*plan.min(axis=0), *plan.max(axis=0))
    shop = ShopFloor((extent[0], extent[1], extent[2], extent[3]), list[Zone]())
    found = []
    for camera in scene.cameras:
        size = (int(camera.size[0]), int(camera.size[1]))
        pixels = View.of(camera).project(np.column_stack([grid, np.zeros(len(grid))]))
        shares = pixels / np.array(size)
        inside = (shares > EDGE_SHARE).all(1) & (shares < 1 - EDGE_SHARE).all(1)
        near = np.hypot(*(grid - np.array(camera.at[:2])).T) <= NEAR_M
        seen = inside & near
        found.append(_measure(camera.name, pixels[seen], plan[seen], size, shop, times))
    return found


def _measure(
    name: str, pixels: Floats, plan: Floats, size: tuple[int, int], shop: ShopFloor, times: int
) -> MeasuredMaps:
    refused, errors_cm = 0, list[float]()
    for seed in range(times):
        random = np.random.default_rng(seed)
        chosen = _spread(pixels, random)
        clicked = pixels[chosen] + random.normal(0, CLICK_PX, (len(chosen), 2))
        taped = plan[chosen] + random.normal(0, TAPE_M, (len(chosen), 2))
        judged = judge(np.column_stack([clicked, taped]).tolist(), size, shop)
        refused += bool(judged.refused)
        errors_cm += [error for error in judged.left_out_cm if error is not None]
    middle, most = np.percentile(errors_cm, [50, 95])
    return MeasuredMaps(name, times, refused, len(errors_cm), round(float(middle), 1), round(float(most), 1))


def _spread(pixels: Floats, random: np.random.Generator) -> NDArray[np.intp]:
    """Places far from each other in the picture, as whoever is told to spread them chooses them."""
    chosen = [int(random.integers(len(pixels)))]
    while len(chosen) < POINTS:
        away = np.min([np.hypot(*(pixels - pixels[one]).T) for one in chosen], axis=0)
        chosen.append(int(np.argmax(away * random.uniform(0.8, 1.0, len(away)))))
    return np.array(chosen)
