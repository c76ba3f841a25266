"""Plane geometry of the shop floor: image pixels to floor metres, lines, polygons.

Pixels are (u, v), u to the right and v down; floor points are (x, y) in metres. Points come as arrays of
shape (n, 2); every function is pure and vectorised over n. What has no place on the floor is nan.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tagsight.errors import TagsightError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FAR_BELOW_THE_HORIZON_PX = (0.0, 10_000.0)
"""Where the floor lies in the picture of any camera that is not mounted upside down."""


class GeometryError(TagsightError):
    """Points or a matrix that describe no usable geometry."""


def as_points(points: npt.ArrayLike) -> Floats:
    """The points as float64 of shape (n, 2); a single (2,) point becomes (1, 2)."""
    array = np.asarray(points, dtype=np.float64)
    if array.ndim == 1 and array.shape == (2,):
        return array[None]
    if array.ndim != 2 or array.shape[1] != 2:
        raise GeometryError(f"points must have shape (n, 2), not {array.shape}")
    return array


class Homography:
    """The map between a camera's image (px) and the floor (m), and its local scale.

    `matrix` takes homogeneous pixels (u, v, 1) to homogeneous floor metres. `floor_pixel` is any pixel that
    shows floor: it tells which side of the horizon is floor. Its default suits upright cameras.

    Raises GeometryError for a matrix that is not a finite, invertible 3 x 3.
    """

    def __init__(
        self, matrix: npt.ArrayLike, floor_pixel: tuple[float, float] = FAR_BELOW_THE_HORIZON_PX
    ) -> None:
        h = np.array(matrix, dtype=np.float64)
        if h.shape != (3, 3):
            raise GeometryError(f"a homography is a 3 x 3 matrix, not one of shape {h.shape}")
        if not np.isfinite(h).all():
            raise GeometryError("a homography must hold finite numbers")
        row_norms = np.linalg.norm(h, axis=1, keepdims=True)
        if (row_norms == 0).any() or abs(np.linalg.det(h / row_norms)) < 1e-12:
            raise GeometryError("the homography is singular: it maps the image onto a line")
        if h[2] @ (*floor_pixel, 1.0) < 0:
            h = -h
        self.matrix: Floats = h
        self.inverse: Floats = np.linalg.inv(h).astype(np.float64)

    @classmethod
    def from_points(cls, image_px: npt.ArrayLike, floor_m: npt.ArrayLike) -> Homography:
        """The least-squares homography through four or more pairs of points (normalised DLT).

        Source: Hartley and Zisserman, Multiple View Geometry, algorithm 4.2. Raises GeometryError for fewer
        than four pairs and for pairs of which too many lie on one line.
        """
        image, floor = as_points(image_px), as_points(floor_m)
        if len(image) != len(floor):
            raise GeometryError(f"{len(image)} image points but {len(floor)} floor points")
        if len(image) < 4:
            raise GeometryError(f"a homography needs at least 4 pairs of points, not {len(image)}")
        image_norm, floor_norm = _normalising(image), _normalising(floor)
        u, v = _affine(image_norm, image).T
        x, y = _affine(floor_norm, floor).T
        zero, one = np.zeros_like(u), np.ones_like(u)
        rows = np.concatenate(
            [
                np.stack([u, v, one, zero, zero, zero, -x * u, -x * v, -x], axis=1),
                np.stack([zero, zero, zero, u, v, one, -y * u, -y * v, -y], axis=1),
            ]
        )
        _, singular, vh = np.linalg.svd(rows)
        if singular[7] < 1e-6 * singular[0]:
            raise GeometryError("the points do not fix a homography: too many of them lie on one line")
        normalised = vh[-1].reshape(3, 3)
        matrix = np.linalg.inv(floor_norm) @ normalised @ image_norm
        middle_u, middle_v = image.mean(axis=0)
        found = cls(matrix / np.abs(matrix).max(), (float(middle_u), float(middle_v)))
        if not np.isfinite(found.to_floor(image)).all():
            raise GeometryError("the horizon of these points runs between them: some pair is wrong")
        return found

    def to_floor(self, points_px: npt.ArrayLike) -> Floats:
        """Floor metres (n, 2) of pixels (n, 2); nan at and beyond the horizon."""
        return _project(self.matrix, as_points(points_px))

    def to_image(self, points_m: npt.ArrayLike) -> Floats:
        """Pixels (n, 2) of floor points (n, 2) in metres; nan for points behind the camera."""
        return _project(self.inverse, as_points(points_m))

    def floor_in_frame(self, polygon: npt.ArrayLike, size: tuple[int, int]) -> Floats:
        """The part (n, 2) in metres of a convex polygon (m, 2) on the floor that a picture of (width, height)
        shows; (0, 2) for none.

        A floor point lies in the picture where five linear forms of its coordinates are positive: before the
        camera, and within four edges. The polygon is clipped by each (Sutherland and Hodgman, 1974).
        """
        x, y, ahead = self.inverse
        outline = as_points(polygon)
        for form in (ahead - 1e-9 * np.abs(ahead).max(), x, y, size[0] * ahead - x, size[1] * ahead - y):
            outline = _clipped(outline, form)
        return outline

    def jacobian(self, points_px: npt.ArrayLike) -> Floats:
        """d floor / d pixel at each pixel, (n, 2, 2) in metres per pixel; nan beyond the horizon."""
        points = as_points(points_px)
        h = self.matrix
        weight = points @ h[2, :2] + h[2, 2]
        weight = np.where(weight > 0, weight, np.nan)
        floor = (points @ h[:2, :2].T + h[:2, 2]) / weight[:, None]
        found: Floats = (h[None, :2, :2] - floor[:, :, None] * h[None, None, 2, :2]) / weight[:, None, None]
        return found

    def floor_covariance(self, points_px: npt.ArrayLike, sigma_px: npt.ArrayLike) -> Floats:
        """Covariance (n, 2, 2) in m^2 of floor points whose pixels are uncertain.

        `sigma_px` holds standard deviations along u and v: a number, (2,), or (n, 2).
        """
        points = as_points(points_px)
        sigma = np.broadcast_to(np.asarray(sigma_px, dtype=np.float64), points.shape)
        spread = self.jacobian(points) * sigma[:, None, :]
        covariance: Floats = spread @ spread.transpose(0, 2, 1)
        return covariance

    def metres_per_pixel(self, points_px: npt.ArrayLike) -> Floats:
        """The local scale (n,): the square root of the floor area that one square pixel covers."""
        scale: Floats = np.sqrt(np.abs(np.linalg.det(self.jacobian(points_px))))
        return scale


def _clipped(outline: Floats, form: Floats) -> Floats:
    """The part of a polygon (n, 2) where `form` (3,), applied to (x, y, 1), is not negative."""
    if not len(outline):
        return outline
    values = outline @ form[:2] + form[2]
    kept: list[Floats] = []
    for at in range(len(outline)):
        here, there = values[at - 1], values[at]
        if (here < 0) != (there < 0):
            kept.append(outline[at - 1] + here / (here - there) * (outline[at] - outline[at - 1]))
        if there >= 0:
            kept.append(outline[at])
    return np.array(kept).reshape(-1, 2)


def _project(matrix: Floats, points: Floats) -> Floats:
    weight = points @ matrix[2, :2] + matrix[2, 2]
    weight = np.where(weight > 0, weight, np.nan)
    projected: Floats = (points @ matrix[:2, :2].T + matrix[:2, 2]) / weight[:, None]
    return projected


def _normalising(points: Floats) -> Floats:
    middle = points.mean(axis=0)
    spread = float(np.linalg.norm(points - middle, axis=1).mean())
    if spread == 0:
        raise GeometryError("all points are the same")
    scale = np.sqrt(2) / spread
    return np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])


def _affine(matrix: Floats, points: Floats) -> Floats:
    moved: Floats = points @ matrix[:2, :2].T + matrix[:2, 2]
    return moved


def signed_distance_m(points: npt.ArrayLike, line: npt.ArrayLike) -> Floats:
    """Distance (n,) of points from the endless line through `line` (2, 2).

    Positive to the left of the walk from line[0] to line[1], in a frame whose y axis points up.
    """
    start, end = as_points(line)
    along = end - start
    length = float(np.hypot(*along))
    if length == 0:
        raise GeometryError("a line needs two different points")
    offset = as_points(points) - start
    distance: Floats = (along[0] * offset[:, 1] - along[1] * offset[:, 0]) / length
    return distance


def position_along(points: npt.ArrayLike, line: npt.ArrayLike) -> Floats:
    """Where points (n, 2) fall along `line` (2, 2): 0 at its start, 1 at its end, outside beyond its ends."""
    start, end = as_points(line)
    along = end - start
    length2 = float(along @ along)
    if length2 == 0:
        raise GeometryError("a line needs two different points")
    position: Floats = (as_points(points) - start) @ along / length2
    return position


def crossing_fraction(path: npt.ArrayLike, line: npt.ArrayLike) -> float | None:
    """How far along the segment `path` (2, 2) it meets the segment `line` (2, 2), 0..1; None if it does not.

    Touching with an end counts as meeting; parallel segments never meet, even where they overlap.
    """
    p0, p1 = as_points(path)
    q0, q1 = as_points(line)
    r, s = p1 - p0, q1 - q0
    cross = float(r[0] * s[1] - r[1] * s[0])
    if abs(cross) <= 1e-12 * float(np.hypot(*r) * np.hypot(*s)):
        return None
    gap = q0 - p0
    along_path = float(gap[0] * s[1] - gap[1] * s[0]) / cross
    along_line = float(gap[0] * r[1] - gap[1] * r[0]) / cross
    if 0 <= along_path <= 1 and 0 <= along_line <= 1:
        return along_path
    return None


def distance_to_segment_m(points: npt.ArrayLike, line: npt.ArrayLike) -> Floats:
    """Distance (n,) of points from the segment `line` (2, 2); a segment of no length is a point."""
    start, end = as_points(line)
    along = end - start
    offset = as_points(points) - start
    length2 = float(along @ along)
    t = np.clip(offset @ along / length2, 0, 1) if length2 else np.zeros(len(offset))
    distance: Floats = np.linalg.norm(offset - t[:, None] * along, axis=1)
    return distance


def in_polygon(points: npt.ArrayLike, polygon: npt.ArrayLike) -> Bools:
    """Which points (n, 2) lie inside `polygon` (m, 2), of any winding, closed implicitly; nan is outside.

    Even-odd rule. A point on a left or lower edge is inside and on a right or upper edge outside, so that
    polygons sharing an edge never both hold a point.
    """
    at = as_points(points)
    corners = as_points(polygon)
    x, y = at[:, 0, None], at[:, 1, None]
    x0, y0 = corners.T
    x1, y1 = np.roll(corners, -1, axis=0).T
    spans = (y0 <= y) != (y1 <= y)
    rise = np.where(y1 == y0, 1.0, y1 - y0)
    left_of_edge = x < x0 + (y - y0) * (x1 - x0) / rise
    inside: Bools = np.count_nonzero(spans & left_of_edge, axis=1) % 2 == 1
    return inside


def signed_area_m2(polygon: npt.ArrayLike) -> float:
    """Area of a polygon (m, 2) by the shoelace formula, positive when wound counter-clockwise (y up)."""
    x, y = as_points(polygon).T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def polygon_area_m2(polygon: npt.ArrayLike) -> float:
    """Area of a polygon (m, 2) of either winding."""
    return abs(signed_area_m2(polygon))


def polygon_centre(polygon: npt.ArrayLike) -> tuple[float, float]:
    """The centroid of a polygon (m, 2); the mean of its corners where it has no area."""
    corners = as_points(polygon)
    origin = corners[0]
    x, y = (corners - origin).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area2 = float(cross.sum())
    if area2 == 0:
        middle = corners.mean(axis=0)
    else:
        sums = np.array([((x + np.roll(x, -1)) * cross).sum(), ((y + np.roll(y, -1)) * cross).sum()])
        middle = origin + sums / (3 * area2)
    return float(middle[0]), float(middle[1])


def distance_to_polygon_m(points: npt.ArrayLike, polygon: npt.ArrayLike) -> Floats:
    """Distance (n,) of points from a polygon (m, 2); 0 inside."""
    at = as_points(points)
    corners = as_points(polygon)
    edges = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    nearest = np.min([distance_to_segment_m(at, np.stack(edge)) for edge in edges], axis=0)
    distance: Floats = np.where(in_polygon(at, corners), 0.0, nearest)
    return distance


def crosses_itself(polygon: npt.ArrayLike) -> bool:
    """Whether two edges of a polygon (m, 2) that are not neighbours meet."""
    corners = as_points(polygon)
    count = len(corners)
    edges: list[Any] = [np.stack([corners[i], corners[(i + 1) % count]]) for i in range(count)]
    return any(
        crossing_fraction(edges[i], edges[j]) is not None
        for i in range(count)
        for j in range(i + 2, count)
        if not (i == 0 and j == count - 1)
    )
