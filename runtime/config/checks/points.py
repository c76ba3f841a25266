"""Whether measured points can fix a map: inside the picture, each once, not on a line, not mixed up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, islice

import numpy as np

from runtime.config.parsing.draft import Draft
from runtime.config.sections import Camera, PointPair
from runtime.geometry import Floats, GeometryError, Homography

LEAST_ALTITUDE = 0.01
"""Four points fix a map where each is off the lines through the others by this share of their extent: a point
that is clicked 2 pixels wrong in 1000 moves the map by a fifth otherwise."""
SUBSETS = 400
MOST_TRIED = 8
"""Among more points, two that were swapped stand out by how far the map misses them."""
SAME_M, SAME_PX = 1e-6, 1e-6
FITS_M = 0.3


def check_points(draft: Draft, camera: Camera, place: str) -> None:
    """Notes every point that cannot be right, whatever the map: off the picture, or given twice."""
    _check_inside(draft, camera, place)
    _check_once(draft, camera.points, place)


def _check_inside(draft: Draft, camera: Camera, place: str) -> None:
    if camera.image_size is None:
        return
    width, height = camera.image_size
    turned = all(0 <= v <= width and 0 <= u <= height for u, v in (pair.image for pair in camera.points))
    for number, pair in enumerate(camera.points):
        u, v = pair.image
        if not (0 <= u <= width and 0 <= v <= height):
            wrong = f"[{u:g}, {v:g}] lies outside the picture of {width} x {height}"
            right = (
                "[u, v]: to the right first, then down"
                if turned
                else f"u from 0 to {width} and v from 0 to {height}, or the image_size it was measured on"
            )
            draft.note(f"{place}[{number}].image", wrong, right, "tolerated")


def _check_once(draft: Draft, points: Sequence[PointPair], place: str) -> None:
    for (first, one), (second, other) in combinations(enumerate(points), 2):
        same_image = np.allclose(one.image, other.image, atol=SAME_PX, rtol=0)
        same_floor = np.allclose(one.floor, other.floor, atol=SAME_M, rtol=0)
        if same_image or same_floor:
            both = "place" if same_image and same_floor else "pixel" if same_image else "place on the floor"
            wrong = f"the same {both} as points[{first}]"
            draft.note(f"{place}[{second}]", wrong, "measure each place once", "tolerated")


def check_spread(draft: Draft, points: Sequence[PointPair], place: str) -> None:
    """Notes points that fix a map by a hair's breadth only."""
    if len(points) < 4:
        return
    image = np.array([pair.image for pair in points], dtype=np.float64)
    floor = np.array([pair.floor for pair in points], dtype=np.float64)
    for where, at in (("in the picture", image), ("on the floor", floor)):
        if _altitude(at) < LEAST_ALTITUDE:
            wrong = f"three of four points lie almost on one line {where}"
            draft.note(place, wrong, "add points to the sides of that line", "tolerated")
            return


def _altitude(points: Floats) -> float:
    """How far the best four of the points (n, 2) are from lying three in a line, as a share of their extent.

    Of four points: the least altitude of the four triangles they make.
    """
    extent = float(np.linalg.norm(np.ptp(points, axis=0)))
    if extent == 0:
        return 0.0
    best = 0.0
    for four in islice(_fours(len(points)), SUBSETS):
        best = max(best, min(_least_altitude(points[list(three)]) for three in combinations(four, 3)))
    return best / extent


def _fours(count: int) -> list[tuple[int, ...]]:
    """All sets of four points, or a fixed random choice of them."""
    if count <= MOST_TRIED:
        return list(combinations(range(count), 4))
    random = np.random.default_rng(4)
    return [tuple(random.choice(count, 4, replace=False).tolist()) for _ in range(SUBSETS)]


def _least_altitude(triangle: Floats) -> float:
    a, b, c = triangle
    longest = max(float(np.linalg.norm(one - other)) for one, other in ((a, b), (b, c), (c, a)))
    area2 = abs(float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])))
    return area2 / longest if longest else 0.0


def likely_swap(points: Sequence[PointPair]) -> str:
    """Which two points have each other's place on the floor, in words; empty where no swap mends the map."""
    if len(points) > MOST_TRIED:
        return ""
    image = np.array([pair.image for pair in points])
    floor = np.array([pair.floor for pair in points])
    mends = []
    for one, other in combinations(range(len(points)), 2):
        order = np.arange(len(points))
        order[[one, other]] = other, one
        try:
            found = Homography.from_points(image, floor[order])
        except GeometryError:
            continue
        misses_m = np.linalg.norm(found.to_floor(image) - floor[order], axis=1)
        if np.linalg.det(found.matrix) > 0 and misses_m.max() <= FITS_M:
            mends.append((one, other))
    if not mends:
        return ""
    named = " or ".join(f"points[{one}] and points[{other}]" for one, other in mends)
    return f"the floor positions of {named} look swapped"
