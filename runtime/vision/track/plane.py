"""The image-to-floor map as the tracker needs it every frame: fewer and cheaper steps than `Homography`."""

from __future__ import annotations

import numpy as np

from runtime.geometry import Floats, Homography


class Plane:
    """Where pixels lie on the floor, how far a pixel reaches there, and back. All points are (n, 2)."""

    def __init__(self, homography: Homography) -> None:
        h = homography.matrix
        self._to_floor = np.ascontiguousarray(h[:2, :2].T), h[:2, 2].copy()
        self._weight = np.ascontiguousarray(h[2, :2]), float(h[2, 2])
        self._to_image = np.ascontiguousarray(homography.inverse[:, :2].T), homography.inverse[:, 2].copy()
        # The floor step of one pixel sideways is linear in v alone, over the weight squared.
        slope = h[:2, 0] * h[2, 1] - h[2, 0] * h[:2, 1]
        offset = h[:2, 0] * h[2, 2] - h[2, 0] * h[:2, 2]
        self._width = float(slope @ slope), float(2 * slope @ offset), float(offset @ offset)
        self._columns = h[:2, 0].copy(), h[:2, 1].copy()

    def pixel_width_m(self, points_px: Floats) -> Floats:
        """Metres (n,) that one pixel sideways covers on the floor; nan beyond the horizon."""
        weight = self._weights(points_px)
        v = points_px[:, 1]
        square, linear, constant = self._width
        width: Floats = square * v
        width += linear
        width *= v
        width += constant
        np.sqrt(width, out=width)
        width /= weight * weight
        return width

    def place(self, points_px: Floats, sigma_px: Floats) -> tuple[Floats, Floats]:
        """Floor metres (n, 2) and covariance (n, 2, 2) of pixels uncertain by `sigma_px` (n, 2)."""
        weight = self._weights(points_px)[:, None]
        turn, shift = self._to_floor
        floor = (points_px @ turn + shift) / weight
        reach = np.empty((len(floor), 2, 2))
        across, down = self._weight[0]
        reach[:, :, 0] = (self._columns[0] - floor * across) / weight * sigma_px[:, :1]
        reach[:, :, 1] = (self._columns[1] - floor * down) / weight * sigma_px[:, 1:]
        return floor, reach @ reach.transpose(0, 2, 1)

    def to_image(self, points_m: Floats) -> Floats:
        """Pixels of floor points; nan behind the camera."""
        turn, shift = self._to_image
        found = points_m @ turn
        found += shift
        weight = found[:, 2]
        if np.count_nonzero(weight <= 0):
            weight = np.where(weight > 0, weight, np.nan)
        pixels: Floats = found[:, :2] / weight[:, None]
        return pixels

    def _weights(self, points_px: Floats) -> Floats:
        turn, shift = self._weight
        weight: Floats = points_px @ turn
        weight += shift
        if np.count_nonzero(weight > 0) < len(weight):
            weight = np.where(weight > 0, weight, np.nan)
        return weight
