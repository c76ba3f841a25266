"""What is wrong with where the calibration points lie, in words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from calibration.floor.fit import FloorFit

Floats = npt.NDArray[np.float64]

FEW_POINTS = 6
SMALL_HULL_SHARE = 0.10
THIN_HULL = 0.12
ROUGH_MAP_M = 0.5
POOR_LEFT_OUT_M = 0.5
VIEW_STEPS = 24
"""The view is judged on a grid of this many columns."""


def warnings_for(fit: FloorFit, size: tuple[int, int]) -> list[str]:
    """Sentences about the points of a fit to a picture of (width, height) pixels; empty when all is well."""
    return [
        *_about_count(fit),
        *_about_wild_points(fit),
        *_about_spread(fit, size),
        *_about_mirror(fit),
        *_about_horizon(fit, size),
        *_about_reach(fit, size),
    ]


def hull_of(points: Floats) -> Floats:
    """Corners (m, 2) of the convex hull, in order; the points themselves when they have none."""
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points


def view_pixels(size: tuple[int, int]) -> Floats:
    """A grid of pixels (n, 2) over the picture, VIEW_STEPS columns wide."""
    width, height = size
    rows = max(round(VIEW_STEPS * height / width), 2)
    u, v = np.meshgrid(np.linspace(0, width - 1, VIEW_STEPS), np.linspace(0, height - 1, rows))
    return np.column_stack([u.ravel(), v.ravel()])


def _about_count(fit: FloorFit) -> list[str]:
    count = len(fit.pairs)
    if count == 4:
        return ["4 pairs always fit exactly, so nothing can be said about the error; add 2 or more"]
    if count < FEW_POINTS:
        return [f"only {count} pairs: a wrong one is hard to tell; {FEW_POINTS} or more are better"]
    return []


def _about_wild_points(fit: FloorFit) -> list[str]:
    sentences = [
        f"point {index + 1} misses by {fit.errors_m[index]:.2f} m where the others agree: measure it again"
        for index in np.flatnonzero(fit.wild)
    ]
    outside = ~fit.wild & (fit.left_out_errors_m > POOR_LEFT_OUT_M)
    sentences += [
        f"point {index + 1} holds the map alone: without it, it would be missed by "
        f"{fit.left_out_errors_m[index]:.2f} m; add points near it"
        for index in np.flatnonzero(outside)
    ]
    return sentences


def _about_spread(fit: FloorFit, size: tuple[int, int]) -> list[str]:
    image = fit.pairs.image_px
    sentences = []
    _, singular, _ = np.linalg.svd(image - image.mean(axis=0), full_matrices=False)
    if singular[1] < THIN_HULL * singular[0]:
        sentences.append("the points lie almost on one line in the picture: add some to its sides")
    else:
        share = _area(hull_of(image)) / (size[0] * size[1])
        if share < SMALL_HULL_SHARE:
            sentences.append(
                f"the points span only {share:.0%} of the picture: spread them over the floor in view"
            )
    outside = (image < 0).any(axis=1) | (image > np.array(size) - 1).any(axis=1)
    if outside.any():
        listed = ", ".join(str(index + 1) for index in np.flatnonzero(outside))
        sentences.append(f"point {listed} lies outside the picture of {size[0]} x {size[1]} pixels")
    return sentences


def _about_mirror(fit: FloorFit) -> list[str]:
    """No camera above a floor sees it mirrored; the plan is seen from above, its y grows downwards."""
    if np.linalg.det(fit.homography.matrix) > 0:
        return []
    return [
        "the floor is mirrored: on the plan x grows to the right and y downwards; x and y were swapped, or "
        "one of them was counted the other way"
    ]


def _about_horizon(fit: FloorFit, size: tuple[int, int]) -> list[str]:
    view = view_pixels(size)
    beyond = ~np.isfinite(fit.homography.to_floor(view)[:, 0])
    if not beyond.any():
        return []
    lower_half = view[:, 1] > size[1] / 2
    if (beyond & lower_half).any():
        return ["the horizon runs through the lower half of the picture: some pair is likely wrong"]
    return [f"the horizon is in the picture: {beyond.mean():.0%} of it shows no floor"]


def _about_reach(fit: FloorFit, size: tuple[int, int]) -> list[str]:
    """How much of the floor in view the points do not really fix."""
    sigma = fit.position_sigma_m(view_pixels(size))
    floor = np.isfinite(sigma)
    if not floor.any():
        return []
    rough = float((sigma[floor] > ROUGH_MAP_M).mean())
    if rough < 0.25:
        return []
    return [
        f"in {rough:.0%} of the floor in view the map may be off by more than {ROUGH_MAP_M} m: "
        "it lies far from the points (red in the drawing)"
    ]


def _area(corners: Floats) -> float:
    x, y = corners.T
    return 0.5 * abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))
