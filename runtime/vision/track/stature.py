"""People's height as a ruler: where the feet must be when only the head is seen.

The apparent height of a person is the box's height times the width of a pixel at the feet, in metres. It
stays put as the person walks (a camera's tilt scales it by one factor for everybody), so a short box says
that something hides the feet, and the head plus the person's height says where they are.
"""

from __future__ import annotations

import numpy as np

from runtime.geometry import Bools, Floats
from runtime.vision.track.plane import Plane
from runtime.vision.track.settings import TrackerSettings
from runtime.vision.track.view import Sightings

SHORT = 0.75
"""A box shorter than this share of the expected height has its feet hidden."""

SLOWEST_LEARNING = 400.0
"""Boxes the camera's typical height is averaged over."""


def place(
    plane: Plane, settings: TrackerSettings, seen: Sightings, height_m: Floats, height_sd: Floats
) -> tuple[Floats, Floats, Bools]:
    """Floor positions (n, 2), their covariance (n, 2, 2) and which boxes showed the whole person.

    The feet are where the lower edge says, and where the head and a height of `height_m` (n,), known to
    `height_sd` (n,) of itself, say; each as far as it can be trusted.
    """
    top, edge = seen.boxes[:, 1], seen.boxes[:, 3]
    expected_px = height_m / seen.pixel_width_m
    hidden = seen.foot_hidden | (~seen.head_cut & (seen.height_px < SHORT * expected_px))
    foot = seen.foot_px.copy()
    if hidden.any():
        for _ in range(2):
            foot[:, 1] = np.where(hidden, top + expected_px, edge)
            expected_px = height_m / plane.pixel_width_m(foot)
    by_edge = np.where(hidden, settings.hidden_foot_noise, settings.foot_noise) * expected_px
    by_head2 = (settings.foot_noise**2 + height_sd**2) * expected_px**2
    trust_head = np.where(seen.head_cut, 0.0, by_edge**2 / (by_edge**2 + by_head2))
    foot[:, 1] = edge + trust_head * (top + expected_px - edge)
    sigma = np.empty((len(foot), 2))
    sigma[:, 0] = np.where(seen.side_cut, 4.0, 1.0) * settings.side_noise * expected_px
    sigma[:, 1] = by_edge * np.sqrt(1 - trust_head)
    sigma[seen.scores < settings.confident_score] *= settings.weak_noise_factor
    floor, spread = plane.place(foot, sigma)
    return floor, spread, ~(hidden | seen.head_cut | seen.side_cut)


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
