"""People's height as a ruler: where the feet must be when only the head is seen.

The apparent height of a person is the box's height times the width of a pixel at the feet, in metres. It
stays put as the person walks (a camera's tilt scales it by one factor for everybody), so a short box says
that something hides the feet, and the head plus the person's height says where they are.
"""

from __future__ import annotations

import numpy as np

from runtime.geometry import Bools, Floats, Homography
from runtime.vision.track.settings import TrackerSettings
from runtime.vision.track.view import Sightings

SHORT = 0.75
"""A box shorter than this share of the expected height has its feet hidden."""

SLOWEST_LEARNING = 400.0
"""Boxes the camera's typical height is averaged over."""


def pixel_width_m(plane: Homography, points_px: Floats) -> Floats:
    """Metres (n,) that one pixel sideways covers on the floor at points (n, 2); nan beyond the horizon."""
    h = plane.matrix
    weight = points_px @ h[2, :2] + h[2, 2]
    weight = np.where(weight > 0, weight, np.nan)
    floor = (points_px @ h[:2, :2].T + h[:2, 2]) / weight[:, None]
    step = (h[:2, 0] - floor * h[2, 0]) / weight[:, None]
    width: Floats = np.sqrt(step[:, 0] ** 2 + step[:, 1] ** 2)
    return width


def place(
    plane: Homography, settings: TrackerSettings, seen: Sightings, height_m: Floats, height_sd: Floats
) -> tuple[Floats, Floats, Bools]:
    """Floor positions (n, 2), their covariance (n, 2, 2) and which boxes showed the whole person.

    The feet are where the lower edge says, and where the head and a height of `height_m` (n,), known to
    `height_sd` (n,) of itself, say; each as far as it can be trusted.
    """
    foot = seen.foot_px.copy()
    top = seen.boxes[:, 1]
    width_m = pixel_width_m(plane, foot)
    expected_px = height_m / width_m
    short = ~seen.head_cut & (seen.height_px < SHORT * expected_px)
    hidden = seen.foot_hidden | short
    for _ in range(2):
        foot[:, 1] = np.where(hidden, top + expected_px, seen.foot_px[:, 1])
        expected_px = height_m / pixel_width_m(plane, foot)
    by_edge = np.where(hidden, settings.hidden_foot_noise, settings.foot_noise) * expected_px
    by_head = np.sqrt(settings.foot_noise**2 + height_sd**2) * expected_px
    trust_head = np.where(seen.head_cut, 0.0, by_edge**2 / (by_edge**2 + by_head**2))
    foot[:, 1] = seen.foot_px[:, 1] + trust_head * (top + expected_px - seen.foot_px[:, 1])
    along = np.where(seen.head_cut, by_edge, by_edge * np.sqrt(1 - trust_head))
    across = np.where(seen.side_cut, 4.0, 1.0) * settings.side_noise * expected_px
    weak = np.where(seen.scores < settings.confident_score, settings.weak_noise_factor, 1.0)
    sigma = np.stack([across * weak, along * weak], axis=1)
    whole = ~(hidden | seen.head_cut | seen.side_cut)
    return plane.to_floor(foot), plane.floor_covariance(foot, sigma), whole


class TypicalHeight:
    """The apparent height of the people before one camera, learnt as it runs."""

    def __init__(self, settings: TrackerSettings) -> None:
        self.height_m = settings.person_height_m
        self.boxes_seen = 5.0

    def learn(self, heights_m: Floats) -> None:
        """Take in apparent heights (n,) of people seen whole; outliers move it no further than 15 %."""
        if not len(heights_m):
            return
        clipped = np.clip(heights_m, 0.85 * self.height_m, 1.15 * self.height_m)
        self.boxes_seen = min(self.boxes_seen + len(heights_m), SLOWEST_LEARNING)
        self.height_m += float((clipped - self.height_m).sum()) / self.boxes_seen
