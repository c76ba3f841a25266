"""People's height as a ruler: where the feet must be when only the head is visible.

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

USUAL_ASPECT = 0.4
"""Width over height of a new person's box."""

SHORT = 0.75
"""A box shorter than this share of the expected height has its feet occluded."""

TRUNCATED_SIDE_FACTOR = 4.0
"""How much wider the noise across is where the picture's edge cuts the box."""

SLOWEST_LEARNING = 400.0
"""Boxes the camera's typical height is averaged over."""


def place(
    plane: Plane,
    settings: TrackerSettings,
    seen: Sightings,
    height_m: Floats,
    height_sd: Floats,
    aspect: float | Floats = USUAL_ASPECT,
) -> tuple[Floats, Floats, Bools]:
    """Floor positions (n, 2), their covariance (n, 2, 2) and which boxes showed the whole person.

    The feet are where the lower edge says, and where the head and a height of `height_m` (n,), known to
    `height_sd` (n,) of itself, say; each as far as it can be trusted.
    """
    top, edge = seen.boxes[:, 1], seen.boxes[:, 3]
    expected_px = height_m / seen.pixel_width_m
    occluded = seen.height_px < SHORT * expected_px
    occluded &= ~seen.head_truncated
    occluded |= seen.foot_occluded
    foot = seen.foot_px.copy()
    edge_noise: float | Floats = settings.foot_noise
    if len(behind := occluded.nonzero()[0]):
        at, from_head, tall_m = foot[behind], top[behind], height_m[behind]
        for _ in range(2):
            at[:, 1] = from_head + expected_px[behind]
            expected_px[behind] = tall_m / plane.pixel_width_m(at)
        edge_noise = np.where(occluded, settings.occluded_foot_noise, settings.foot_noise)
    edge_variance = edge_noise**2
    trust_head = edge_variance / (edge_variance + settings.foot_noise**2 + height_sd * height_sd)
    trust_head *= ~seen.head_truncated
    foot[:, 1] += trust_head * (top + expected_px - edge)
    sigma = np.empty((len(foot), 2))
    np.multiply(expected_px, settings.side_noise, out=sigma[:, 0])
    sigma[:, 1] = edge_noise * expected_px * np.sqrt(1 - trust_head)
    if len(cut := seen.side_truncated.nonzero()[0]):
        sigma[cut, 0] *= TRUNCATED_SIDE_FACTOR
        foot[cut, 0] = _middle(seen.take(cut), np.broadcast_to(aspect, len(foot))[cut] * expected_px[cut])
    if len(weak := (seen.scores < settings.confident_score).nonzero()[0]):
        sigma[weak] *= settings.weak_noise_factor
    floor, covariance = plane.place(foot, sigma)
    return floor, covariance, ~(occluded | seen.head_truncated | seen.side_truncated)


def _middle(seen: Sightings, width_px: Floats) -> Floats:
    """The middle across (n,) px of people of that width (n,) whom one edge of the picture cuts."""
    left, right = seen.boxes[:, 0], seen.boxes[:, 2]
    half = np.maximum(width_px, right - left) / 2
    middle: Floats = (left + right) / 2
    middle = np.where(seen.right_truncated & ~seen.left_truncated, left + half, middle)
    return np.where(seen.left_truncated & ~seen.right_truncated, right - half, middle)


def completed(seen: Sightings, expected: Floats, fully_visible: Bools) -> Floats:
    """Boxes (n, 4), those of half-occluded people stretched to where the person must be."""
    if np.count_nonzero(fully_visible) == len(fully_visible):
        return seen.boxes
    boxes: Floats = seen.boxes.copy()
    lower, upper = np.maximum(boxes[:, 3], expected[:, 3]), np.minimum(boxes[:, 1], expected[:, 1])
    boxes[:, 3] = np.where(fully_visible, boxes[:, 3], lower)
    boxes[:, 1] = np.where(seen.head_truncated, upper, boxes[:, 1])
    return boxes


class TypicalHeight:
    """The apparent height of the people before one camera, learnt as it runs."""

    def __init__(self, settings: TrackerSettings) -> None:
        self.height_m = settings.person_height_m
        self.boxes_seen = 5.0

    def learn(self, heights_m: Floats) -> None:
        """Take in apparent heights (n,) of people seen whole; outliers move it no further than 15 %."""
        if not len(heights_m):
            return
        clipped = np.minimum(np.maximum(heights_m, 0.85 * self.height_m), 1.15 * self.height_m)
        self.boxes_seen = min(self.boxes_seen + len(heights_m), SLOWEST_LEARNING)
        self.height_m += float((clipped - self.height_m).sum()) / self.boxes_seen
