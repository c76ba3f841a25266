"""What a camera sees where.

A camera looks along its axis with x to the right and y down the picture. The lens is Brown's radial model:
r' = r (1 + k1 r^2 + k2 r^4) on the plane at distance 1 (as OpenCV has it). A barrel folds back beyond some
radius; from there on the model goes on straight, so that what lies far out of the picture stays there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.scene.spec import SceneCamera

Floats = NDArray[np.float64]
NEAR_M = 0.05
FARTHEST = 3.0
"""Tangent of the angle beyond which no lens here sees."""


@dataclass(frozen=True)
class Lens:
    """Focal length and middle in px, distortion, and the radius from which the model is straight."""

    focal_px: float
    middle_px: tuple[float, float]
    k1: float
    k2: float

    @classmethod
    def of(cls, camera: SceneCamera) -> Lens:
        width, height = camera.size
        focal = width / 2 / math.tan(math.radians(camera.hfov_deg) / 2)
        return cls(focal, (width / 2, height / 2), camera.k1, camera.k2)

    @property
    def straight_from(self) -> float:
        """Where the model's slope falls to 0.15, or `FARTHEST`."""
        radii = np.linspace(0, FARTHEST, 601)
        slope = 1 + 3 * self.k1 * radii**2 + 5 * self.k2 * radii**4
        low = np.flatnonzero(slope < 0.15)
        return float(radii[low[0] - 1]) if len(low) else FARTHEST

    def bent(self, radius: Floats) -> Floats:
        """Undistorted to distorted radius, rising everywhere."""
        edge = self.straight_from
        inner = np.minimum(radius, edge)
        value = inner * (1 + self.k1 * inner**2 + self.k2 * inner**4)
        slope = 1 + 3 * self.k1 * edge**2 + 5 * self.k2 * edge**4
        return np.asarray(value + slope * np.maximum(radius - edge, 0.0))

    def straightened(self, radius: Floats) -> Floats:
        """Distorted to undistorted radius, by bisection."""
        low, high = np.zeros_like(radius), np.full_like(radius, 50.0)
        for _ in range(60):
            middle = (low + high) / 2
            below = self.bent(middle) < radius
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2


@dataclass(frozen=True)
class View:
    """A camera at a moment: rotation (3, 3) floor to camera, its place (3,), its lens and picture size."""

    rotation: Floats
    at_m: Floats
    lens: Lens
    size: tuple[int, int]

    @classmethod
    def of(cls, camera: SceneCamera, time_s: float = 0.0) -> View:
        at, aim = camera.at, camera.looks_at
        for move in sorted(camera.moves, key=lambda move: move.at_s):
            if move.at_s <= time_s:
                at, aim = move.at or at, move.looks_at or aim
        ahead = np.asarray(aim, np.float64) - np.asarray(at, np.float64)
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right /= max(float(np.linalg.norm(right)), 1e-9)
        return cls(
            np.stack([right, np.cross(ahead, right), ahead]),
            np.asarray(at, np.float64),
            Lens.of(camera),
            camera.size,
        )

    def seen(self, points_m: NDArray[np.floating]) -> Floats:
        """Points (n, 3) in camera axes: right, down, ahead, metres."""
        return np.asarray((np.asarray(points_m, np.float64) - self.at_m) @ self.rotation.T)

    def project(self, points_m: Floats) -> Floats:
        """Pixels (n, 2) of points (n, 3); nan behind the camera."""
        local = self.seen(points_m)
        with np.errstate(divide="ignore", invalid="ignore"):
            flat = np.where(local[:, 2:] > NEAR_M, local[:, :2] / local[:, 2:], np.nan)
            radius = np.linalg.norm(flat, axis=1)
            factor = np.where(radius > 1e-9, self.lens.bent(radius) / radius, 1.0)
        return np.asarray(self.lens.focal_px * flat * factor[:, None] + np.asarray(self.lens.middle_px))

    def rays(self, pixels: Floats) -> Floats:
        """Directions (n, 3), unit, in floor axes, of pixels (n, 2)."""
        flat = (np.asarray(pixels, np.float64) - np.asarray(self.lens.middle_px)) / self.lens.focal_px
        radius = np.linalg.norm(flat, axis=1)
        factor = np.where(radius > 1e-9, self.lens.straightened(radius) / np.maximum(radius, 1e-9), 1.0)
        local = np.concatenate([flat * factor[:, None], np.ones((len(flat), 1))], axis=1)
        rays = local @ self.rotation
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def floor(self, pixels: Floats) -> Floats:
        """Floor points (n, 2) seen at pixels (n, 2); nan above the horizon."""
        rays = self.rays(pixels)
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.where(rays[:, 2] < -1e-6, -self.at_m[2] / rays[:, 2], np.nan)
        return np.asarray(self.at_m[:2] + rays[:, :2] * far[:, None])
