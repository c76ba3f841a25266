"""Triangles with normals, colours and textures, and the simple shapes that a shop is built of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Faces = NDArray[np.int32]
COLUMNS = 13
"""Of a vertex as the renderer takes it: place 3, normal 3, colour 3, texture u, v, layer, id."""


@dataclass(frozen=True)
class Mesh:
    """`vertices` (n, COLUMNS) and `faces` (m, 3)."""

    vertices: Floats
    faces: Faces

    def marked(self, number: int) -> Mesh:
        """The same with an id."""
        vertices = self.vertices.copy()
        vertices[:, 12] = number
        return Mesh(vertices, self.faces)

    def moved(self, to_m: ArrayLike, heading_rad: float = 0.0) -> Mesh:
        """Turned about the vertical, then moved."""
        c, s = np.cos(heading_rad), np.sin(heading_rad)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
        vertices = self.vertices.copy()
        vertices[:, :3] = vertices[:, :3] @ turn.T + np.asarray(to_m, np.float32)
        vertices[:, 3:6] = vertices[:, 3:6] @ turn.T
        return Mesh(vertices, self.faces)


def normals(points: Floats, faces: Faces) -> Floats:
    """Of points (n, 3), by area."""
    across = np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
    total = np.zeros((len(points), 3))
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(faces[:, corner], across[:, axis], len(points))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(length, 1e-12), np.float32)


def mesh(
    points: ArrayLike,
    faces: ArrayLike,
    colour: ArrayLike,
    uv: ArrayLike | None = None,
    layer: ArrayLike = 0.0,
    normal: ArrayLike | None = None,
) -> Mesh:
    """From points (n, 3), faces (m, 3), a colour (3,) or (n, 3), texture places (n, 2) and layer."""
    place = np.asarray(points, np.float32).reshape(-1, 3)
    triangles = np.asarray(faces, np.int32).reshape(-1, 3)
    vertices = np.zeros((len(place), COLUMNS), np.float32)
    vertices[:, :3] = place
    vertices[:, 3:6] = normals(place, triangles) if normal is None else normal
    vertices[:, 6:9] = colour
    if uv is not None:
        vertices[:, 9:11] = uv
    vertices[:, 11] = layer
    return Mesh(vertices, triangles)


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of many."""
    if not meshes:
        return Mesh(np.zeros((0, COLUMNS), np.float32), np.zeros((0, 3), np.int32))
    starts = np.cumsum([0] + [len(one.vertices) for one in meshes])
    faces = [one.faces + start for one, start in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([one.vertices for one in meshes]), np.concatenate(faces).astype(np.int32))


def sheet(
    corner: ArrayLike,
    across: ArrayLike,
    up: ArrayLike,
    colour: ArrayLike,
    layer: float = 0.0,
    repeat: tuple[float, float] = (1, 1),
    cell_m: float = 0.5,
) -> Mesh:
    """A rectangle in cells of about `cell_m`, so that lens distortion bends it; its front is across x up."""
    origin, a, b = (np.asarray(one, np.float64) for one in (corner, across, up))
    columns = max(1, int(np.ceil(np.linalg.norm(a) / cell_m)))
    rows = max(1, int(np.ceil(np.linalg.norm(b) / cell_m)))
    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    u, v = u.reshape(-1, 1), v.reshape(-1, 1)
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).reshape(-1, 1)
    faces = np.concatenate([first + [0, 1, columns + 2], first + [0, columns + 2, columns + 1]])
    front = np.cross(a, b)
    return mesh(
        origin + u * a + v * b,
        faces,
        colour,
        np.concatenate([u * repeat[0], v * repeat[1]], 1),
        layer,
        front / np.linalg.norm(front),
    )


def box(
    low: ArrayLike, high: ArrayLike, colour: ArrayLike, layer: float = 0.0, repeat_m: float = 1.0
) -> Mesh:
    """Axis-aligned, with sharp edges; a texture repeats every `repeat_m`."""
    a, b = np.asarray(low, np.float64), np.asarray(high, np.float64)
    points: list[NDArray[np.float64]] = []
    faces: list[list[int]] = []
    normal: list[NDArray[np.float64]] = []
    uv: list[NDArray[np.float64]] = []
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        for side, value in ((-1, a[axis]), (1, b[axis])):
            corners = np.zeros((4, 3))
            corners[:, axis] = value
            corners[:, first] = [a[first], b[first], b[first], a[first]]
            corners[:, second] = [a[second], a[second], b[second], b[second]]
            start = len(points)
            points += list(corners)
            faces += [[start, start + 1, start + 2], [start, start + 2, start + 3]]
            normal += [np.eye(3)[axis] * side] * 4
            flat = (0, 1) if axis == 2 else ((1, 2) if axis == 0 else (0, 2))
            uv += list(corners[:, flat] / repeat_m)
    return mesh(points, faces, colour, uv, layer, normal)


def tube(path: ArrayLike, radius_m: float, colour: ArrayLike, sides: int = 6) -> Mesh:
    """A round bar along points (n, 3)."""
    line = np.asarray(path, np.float64)
    rings = []
    for place, point in enumerate(line):
        ahead = line[min(place + 1, len(line) - 1)] - line[max(place - 1, 0)]
        ahead = ahead / np.linalg.norm(ahead)
        aside = np.cross(ahead, [0, 0, 1.0] if abs(ahead[2]) < 0.9 else [1.0, 0, 0])
        aside /= np.linalg.norm(aside)
        angle = np.arange(sides) * 2 * np.pi / sides
        rings.append(
            point
            + radius_m * (np.cos(angle)[:, None] * aside + np.sin(angle)[:, None] * np.cross(ahead, aside))
        )
    faces = []
    for ring in range(len(line) - 1):
        for side in range(sides):
            a, b = ring * sides + side, ring * sides + (side + 1) % sides
            faces += [[a, b, b + sides], [a, b + sides, a + sides]]
    return mesh(np.concatenate(rings), faces, colour)


def wheel(
    middle: ArrayLike, radius_m: float, axle: ArrayLike, colour: ArrayLike, thick_m: float = 0.012
) -> Mesh:
    """A hoop about an axle direction."""
    axis = np.asarray(axle, np.float64)
    aside = np.cross(axis, [0, 0, 1.0])
    angle = np.linspace(0, 2 * np.pi, 17)
    hoop = np.asarray(middle) + radius_m * (
        np.cos(angle)[:, None] * aside + np.sin(angle)[:, None] * np.cross(axis, aside)
    )
    return tube(hoop, thick_m, colour, 4)
