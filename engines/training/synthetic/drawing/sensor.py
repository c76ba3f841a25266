"""What a cheap camera adds: vignette, blur, noise that grows in the dark, an exposure of its own."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


class Sensor:
    """One camera's faults, from a seed; the noise of frame n is the same in every run."""

    def __init__(self, seed: int, camera: int, size: tuple[int, int], strength: float = 1.0) -> None:
        rng = np.random.default_rng([seed, camera, 31])
        width, height = size
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        cast = rng.uniform(0.95, 1.05, 3) * rng.uniform(0.92, 1.08)
        self._gain = ((1 - rng.uniform(0.05, 0.25) * (x**2 + y**2) / 2)[..., None] * cast).astype(np.float32)
        self._blur_px = float(rng.uniform(0.45, 0.75))
        self._noise = strength * float(rng.uniform(2.0, 4.5))
        self._seed = (seed, camera)
        self._size = size

    def see(self, picture: Picture, frame: int) -> Picture:
        """The picture as the camera gives it."""
        width, height = self._size
        soft = cv2.GaussianBlur(picture, (0, 0), self._blur_px).astype(np.float32) * self._gain
        rng = np.random.default_rng([*self._seed, frame])
        grain = rng.standard_normal((height, width, 1), np.float32)
        blotch = cv2.resize(rng.standard_normal((height // 2, width // 2, 3), np.float32), (width, height))
        return np.asarray(np.clip(soft + self._noise * (grain + 0.6 * blotch), 0, 255), np.uint8)
