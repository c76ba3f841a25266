"""From point pairs to the homography of the floor, with an honest account of its error.

The start is the normalised direct linear transform (Hartley and Zisserman, Multiple View Geometry, algorithm
4.2) on the subset of four pairs that most others agree with; then all eight parameters are refined on all
pairs at once, each residual in units of its expected error and with a loss that one wild pair cannot
dominate. The expected error of a pair is a click of `CLICK_PX` pixels, carried to the floor by the local
scale, and a tape measure of `TAPE_M`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from calibration.errors import CalibrationError
from calibration.floor.point_pairs import PointPairs
from runtime.geometry import GeometryError, Homography

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CLICK_PX = 2.0
TAPE_M = 0.02
WILD_SIGMAS = 4.0
MAX_SUBSETS = 400


@dataclass(frozen=True)
class FloorFit:
    """A fitted floor map and how far to trust it.

    `errors_m` (n,) is how far the map misses each pair; `left_out_errors_m` (n,) how far the map fitted to
    all others misses it (nan where the others fix no map: always with four pairs). `wild` (n,) marks pairs
    that disagree with the rest. `covariance` (8, 8) is that of the refined parameters.
    """

    pairs: PointPairs
    homography: Homography
    errors_m: Floats
    left_out_errors_m: Floats
    wild: Bools
    covariance: Floats

    def position_sigma_m(self, points_px: npt.ArrayLike) -> Floats:
        """Expected error (n,) in metres of floor positions at pixels (n, 2), from the fit's uncertainty."""
        points = np.asarray(points_px, dtype=np.float64)
        normalise = _normalising(self.pairs.image_px)
        parameters = _parameters(self.homography.matrix, normalise)
        jacobian = _floor_jacobian(parameters, points, normalise)
        spread = np.einsum("nij,jk,nik->ni", jacobian, self.covariance, jacobian)
        sigma: Floats = np.sqrt(spread.sum(axis=1))
        return np.where(np.isfinite(self.homography.to_floor(points)[:, 0]), sigma, np.nan)


def fit_floor(pairs: PointPairs) -> FloorFit:
    """The floor map that explains the pairs best. Raises CalibrationError when they fix none."""
    if len(pairs) < 4:
        raise CalibrationError(f"{len(pairs)} point pairs fix no floor map; give at least 4, better 8")
    try:
        homography, covariance = _refined(pairs, _start(pairs))
    except GeometryError as error:
        raise CalibrationError(f"{error}; spread the points over the floor in view") from error
    errors = _misses_m(homography, pairs)
    sigmas = errors / _expected_error_m(homography, pairs)
    return FloorFit(
        pairs, homography, errors, _left_out_errors_m(pairs, homography), sigmas > WILD_SIGMAS, covariance
    )


def _start(pairs: PointPairs) -> Homography:
    """The map of the four pairs whose median residual over all pairs is least; plain DLT for few pairs."""
    if len(pairs) < 6:
        return Homography.from_points(pairs.image_px, pairs.floor_m)
    best: Homography | None = None
    least = math.inf
    for subset in _subsets(len(pairs)):
        try:
            candidate = Homography.from_points(pairs.image_px[subset], pairs.floor_m[subset])
        except GeometryError:
            continue
        sigmas = _misses_m(candidate, pairs) / _expected_error_m(candidate, pairs)
        middle = float(np.median(np.where(np.isfinite(sigmas), sigmas, np.inf)))
        if middle < least:
            best, least = candidate, middle
    return best if best is not None else Homography.from_points(pairs.image_px, pairs.floor_m)


def _subsets(count: int) -> list[list[int]]:
    """Sets of four to try: all of them when they are few, else a fixed random choice."""
    if math.comb(count, 4) <= MAX_SUBSETS:
        return [list(subset) for subset in combinations(range(count), 4)]
    random = np.random.default_rng(4)
    return [sorted(random.choice(count, 4, replace=False).tolist()) for _ in range(MAX_SUBSETS)]


def _refined(pairs: PointPairs, start: Homography) -> tuple[Homography, Floats]:
    """The start refined on all pairs, and the covariance (8, 8) of its parameters."""
    normalise = _normalising(pairs.image_px)
    expected_m = _expected_error_m(start, pairs)

    def residuals(parameters: Floats) -> Floats:
        projected = _project(parameters, pairs.image_px, normalise)
        return np.asarray((projected - pairs.floor_m) / expected_m[:, None]).ravel()

    found = least_squares(
        residuals, _parameters(start.matrix, normalise), loss="cauchy", f_scale=WILD_SIGMAS / 2, x_scale="jac"
    )
    matrix = np.append(found.x, 1.0).reshape(3, 3) @ normalise
    middle = pairs.image_px.mean(axis=0)
    homography = Homography(matrix / np.abs(matrix).max(), (float(middle[0]), float(middle[1])))
    jacobian = _floor_jacobian(found.x, pairs.image_px, normalise) / expected_m[:, None, None]
    information = np.einsum("nij,nik->jk", jacobian, jacobian)
    covariance = np.linalg.pinv(information, hermitian=True)
    spare = 2 * len(pairs) - 8
    if spare > 0:
        ordinary = np.minimum(np.abs(residuals(found.x)), WILD_SIGMAS)
        covariance = covariance * max(1.0, float((ordinary**2).sum()) / spare)
    return homography, covariance


def _left_out_errors_m(pairs: PointPairs, start: Homography) -> Floats:
    errors = np.full(len(pairs), np.nan)
    if len(pairs) < 5:
        return errors
    for left_out in range(len(pairs)):
        rest = np.arange(len(pairs)) != left_out
        others = PointPairs(pairs.image_px[rest], pairs.floor_m[rest])
        try:
            homography, _ = _refined(others, start)
        except GeometryError:
            continue
        alone = PointPairs(pairs.image_px[~rest], pairs.floor_m[~rest])
        errors[left_out] = _misses_m(homography, alone)[0]
    return errors


def _misses_m(homography: Homography, pairs: PointPairs) -> Floats:
    distances: Floats = np.linalg.norm(homography.to_floor(pairs.image_px) - pairs.floor_m, axis=1)
    return np.where(np.isfinite(distances), distances, np.inf)


def _expected_error_m(homography: Homography, pairs: PointPairs) -> Floats:
    """What a careful technician's pair may miss by (n,), in metres."""
    with np.errstate(invalid="ignore"):
        scale = homography.metres_per_pixel(pairs.image_px)
    known = np.isfinite(scale)
    scale = np.where(known, scale, scale[known].max() if known.any() else 1.0)
    return np.hypot(CLICK_PX * scale, TAPE_M)


def _normalising(image_px: Floats) -> Floats:
    """Moves the pixels' middle to 0 and their spread to about 1, so that all parameters are of one size."""
    middle, spread = image_px.mean(axis=0), float(np.abs(image_px - image_px.mean(axis=0)).mean())
    if spread == 0:
        raise GeometryError("all points are the same")
    return np.array([[1 / spread, 0, -middle[0] / spread], [0, 1 / spread, -middle[1] / spread], [0, 0, 1]])


def _parameters(matrix: Floats, normalise: Floats) -> Floats:
    """The eight free parameters: the matrix for normalised pixels, scaled so that its last entry is 1.

    That entry is the weight at the points' middle, which lies on the floor and so is never 0.
    """
    normalised = matrix @ np.linalg.inv(normalise)
    parameters: Floats = (normalised / normalised[2, 2]).ravel()[:8]
    return parameters


def _project(parameters: Floats, points_px: Floats, normalise: Floats) -> Floats:
    matrix = np.append(parameters, 1.0).reshape(3, 3) @ normalise
    homogeneous = points_px @ matrix[:, :2].T + matrix[:, 2]
    weight = homogeneous[:, 2:]
    projected: Floats = homogeneous[:, :2] / np.where(np.abs(weight) < 1e-9, 1e-9, weight)
    return projected


def _floor_jacobian(parameters: Floats, points_px: Floats, normalise: Floats) -> Floats:
    """d floor / d parameters at each pixel, (n, 2, 8)."""
    points = points_px @ normalise[:2, :2].T + normalise[:2, 2]
    homogeneous = np.column_stack([points, np.ones(len(points))])
    weight = (homogeneous[:, :2] @ parameters[6:8] + 1.0)[:, None]
    floor = _project(parameters, points_px, normalise)
    zero = np.zeros_like(homogeneous)
    along_x = np.concatenate([homogeneous, zero, -floor[:, :1] * points], axis=1) / weight
    along_y = np.concatenate([zero, homogeneous, -floor[:, 1:] * points], axis=1) / weight
    jacobian: Floats = np.stack([along_x, along_y], axis=1)
    return jacobian
