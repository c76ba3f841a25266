"""What a camera really delivers, from watching it for a while."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from runtime.frames.capture.watch import FrameWatch, StreamFinding

Image = npt.NDArray[Any]

DARK_LEVEL = 45.0
CLIPPED_SHARE = 0.10
SOFT_EDGES = 40.0
FAST_ENOUGH_FPS = 5.0
GAP_FACTOR = 3.0
MAX_LIGHT_SAMPLES = 600


@dataclass
class CameraWatch:
    """Collects figures picture by picture; `report()` sums them up.

    Brightness and contrast are of the grey picture, 0..255. Sharpness is the variance of its Laplacian.
    """

    watch: FrameWatch = field(default_factory=lambda: FrameWatch(frozen_after_s=3.0))
    times_s: list[float] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    light: list[tuple[float, float, float, float]] = field(default_factory=list)
    findings: set[StreamFinding] = field(default_factory=set)

    def look(self, image: Image, time_s: float) -> None:
        """Takes in one picture, BGR (H, W, 3), that was taken at `time_s`."""
        self.times_s.append(time_s)
        size = (int(image.shape[1]), int(image.shape[0]))
        if not self.sizes or self.sizes[-1] != size:
            self.sizes.append(size)
        self.findings.add(self.watch.look(image, time_s))
        if len(self.light) < MAX_LIGHT_SAMPLES:
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            dark, bright = float((grey < 8).mean()), float((grey > 247).mean())
            self.light.append(
                (float(grey.mean()), dark, bright, float(cv2.Laplacian(grey, cv2.CV_64F).var()))
            )

    def report(self) -> CameraReport:
        """The figures of all pictures so far; at least two are needed."""
        gaps_s = np.diff(self.times_s)
        light = np.array(self.light)
        usual_s = float(np.median(gaps_s))
        return CameraReport(
            pictures=len(self.times_s),
            seconds=round(float(self.times_s[-1] - self.times_s[0]), 2),
            fps=round(1 / usual_s, 2) if usual_s > 0 else 0.0,
            longest_gap_s=round(float(gaps_s.max()), 3),
            sizes=tuple(self.sizes),
            brightness=round(float(light[:, 0].mean()), 1),
            black_share=round(float(light[:, 1].mean()), 4),
            white_share=round(float(light[:, 2].mean()), 4),
            sharpness=round(float(np.median(light[:, 3])), 1),
            black=StreamFinding.BLACK in self.findings,
            frozen=StreamFinding.FROZEN in self.findings,
        )


@dataclass(frozen=True)
class CameraReport:
    """Figures of one camera.

    `fps` is from the median gap between pictures; `black_share` and `white_share` are the shares of pixels at
    the ends of the scale.
    """

    pictures: int
    seconds: float
    fps: float
    longest_gap_s: float
    sizes: tuple[tuple[int, int], ...]
    brightness: float
    black_share: float
    white_share: float
    sharpness: float
    black: bool
    frozen: bool

    def remarks(self) -> list[str]:
        """What the technician should look at; empty when all is well."""
        remarks = []
        if self.black:
            remarks.append("the picture is black: take the lens cap off, or check the light and the cable")
        elif self.brightness < DARK_LEVEL:
            remarks.append(f"the picture is dark (mean {self.brightness:.0f} of 255): add light or exposure")
        if self.white_share > CLIPPED_SHARE:
            remarks.append(
                f"{self.white_share:.0%} of the picture is burnt out: lower the exposure or avoid the window"
            )
        if self.frozen:
            remarks.append("the picture stands still to the bit: the camera or its encoder hangs")
        if not self.black and self.sharpness < SOFT_EDGES:
            remarks.append(f"the picture is soft (sharpness {self.sharpness:.0f}): focus the lens or wipe it")
        if 0 < self.fps < FAST_ENOUGH_FPS:
            remarks.append(f"{self.fps:g} frames a second are few: fast people may cross a line unseen")
        if self.fps and self.longest_gap_s > GAP_FACTOR / self.fps:
            remarks.append(
                f"pictures stop for up to {self.longest_gap_s:.2f} s: check the network and the encoder"
            )
        if len(self.sizes) > 1:
            remarks.append(
                f"the size changed while watching: {', '.join(f'{w} x {h}' for w, h in self.sizes)}"
            )
        return remarks
