"""Rays against triangles, one by one: what a camera sees, computed without the renderer.

Moeller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection" (1997), over numpy; both sides of a
triangle stop a ray. Slow, and meant to be: it shares nothing with OpenGL.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.training.synthetic.drawing.meshes import Mesh

Floats = NDArray[np.float64]
CHUNK = 2_000_000
NEAREST_M = 0.05


@dataclass(frozen=True)
class Triangles:
    """Corners (m, 3, 3) in metres and each one's id (m,)."""

    corners: Floats
    numbers: NDArray[np.int64]

    @classmethod
    def of(cls, meshes: list[Mesh]) -> Triangles:
        """Of meshes; a vertex's id is its triangle's."""
        corners = [one.vertices[one.faces][:, :, :3] for one in meshes if len(one.faces)]
        numbers = [one.vertices[one.faces[:, 0], 12] for one in meshes if len(one.faces)]
        return cls(
            np.concatenate(corners).astype(np.float64), np.rint(np.concatenate(numbers)).astype(np.int64)
        )

    def near(self, eye: Floats, rays: Floats) -> Triangles:
        """Those that the bundle of rays from `eye` can meet: within its cone."""
        axis = rays.mean(0)
        if np.linalg.norm(axis) < 1e-6:
            return self
        axis /= np.linalg.norm(axis)
        widest = float(np.arccos(np.clip((rays @ axis).min(), -1, 1)))
        middle = self.corners.mean(1) - eye
        far = np.linalg.norm(middle, axis=1)
        radius = np.linalg.norm(self.corners - self.corners.mean(1, keepdims=True), axis=2).max(1)
        spread = np.arcsin(np.clip(radius / np.maximum(far, 1e-9), 0, 1))
        away = np.arccos(np.clip(middle @ axis / np.maximum(far, 1e-9), -1, 1))
        kept = (away <= widest + spread) | (radius >= far)
        return Triangles(self.corners[kept], self.numbers[kept])


def first_hits(eye: Floats, rays: Floats, triangles: Triangles) -> tuple[NDArray[np.int64], Floats]:
    """For each ray (n, 3), unit, from `eye`: the id of what it meets first (-1: nothing) and how far that
    is."""
    if not len(rays):
        return np.zeros(0, np.int64), np.zeros(0)
    near = triangles.near(eye, rays)
    numbers, far = np.full(len(rays), -1, np.int64), np.full(len(rays), np.inf)
    if not len(near.corners):
        return numbers, far
    start, first, second = (
        near.corners[:, 0],
        near.corners[:, 1] - near.corners[:, 0],
        near.corners[:, 2] - near.corners[:, 0],
    )
    offset = eye - start
    turned = np.cross(offset, first)
    along = np.einsum("mi,mi->m", second, turned)
    step = max(1, CHUNK // len(start))
    for begin in range(0, len(rays), step):
        ray = rays[begin : begin + step]
        across = np.cross(ray[:, None], second[None])
        base = np.einsum("nmi,mi->nm", across, first)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1 / base
            u = np.einsum("nmi,mi->nm", across, offset) * inverse
            v = (ray @ turned.T) * inverse
            distance = along[None] * inverse
        met = (np.abs(base) > 1e-12) & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > NEAREST_M)
        distance = np.where(met, distance, np.inf)
        best = distance.argmin(1)
        far[begin : begin + step] = distance[np.arange(len(ray)), best]
        numbers[begin : begin + step] = near.numbers[best]
    return np.where(np.isfinite(far), numbers, -1), far
