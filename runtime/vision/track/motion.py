"""How people move: a Kalman filter on the floor, for many tracks at once.

The state is position and velocity (x, y, vx, vy) in metres and m/s. Velocity is an Ornstein-Uhlenbeck
process: a walker keeps it for a few seconds, so a person out of sight is expected to slow down and the
uncertainty of the place grows as walking does, not without bound in speed. The model is exact for any time
step, so the frame rate does not matter. Source: R. A. Singer, Estimating Optimal Tracking Filter Performance
for Manned Maneuvering Targets, 1970 (one integration fewer).
"""

from __future__ import annotations

import math

import numpy as np

from runtime.geometry import Floats


def predict(
    mean: Floats, covariance: Floats, dt_s: float, speed_sd_mps: Floats, memory_s: float
) -> tuple[Floats, Floats]:
    """States (n, 4) and covariances (n, 4, 4) after `dt_s`, for walkers of speed spread (n,)."""
    decay = math.exp(-dt_s / memory_s)
    reach = memory_s * (1 - decay)
    step = np.eye(4)
    step[0, 2] = step[1, 3] = reach
    step[2, 2] = step[3, 3] = decay
    place = memory_s**2 * (2 * dt_s / memory_s - 3 + 4 * decay - decay**2)
    cross = memory_s * (1 - decay) ** 2
    noise = np.zeros((4, 4))
    noise[0, 0] = noise[1, 1] = place
    noise[0, 2] = noise[2, 0] = noise[1, 3] = noise[3, 1] = cross
    noise[2, 2] = noise[3, 3] = 1 - decay**2
    moved = step @ covariance @ step.T + noise * (speed_sd_mps**2)[:, None, None]
    return mean @ step.T, moved


def correct(
    mean: Floats, covariance: Floats, seen_m: Floats, seen_covariance: Floats
) -> tuple[Floats, Floats]:
    """States and covariances after sighting positions (n, 2) with covariance (n, 2, 2)."""
    gain = covariance[:, :, :2] @ inverse_2x2(covariance[:, :2, :2] + seen_covariance)
    surprise = seen_m - mean[:, :2]
    corrected = mean + (gain @ surprise[:, :, None])[:, :, 0]
    narrowed = covariance - gain @ covariance[:, :2, :]
    return corrected, (narrowed + narrowed.transpose(0, 2, 1)) / 2


def inverse_2x2(matrices: Floats) -> Floats:
    """Inverses of symmetric matrices (..., 2, 2)."""
    a, b, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 1]
    inverse = np.empty_like(matrices)
    inverse[..., 0, 0] = d
    inverse[..., 1, 1] = a
    inverse[..., 0, 1] = inverse[..., 1, 0] = -b
    inverse /= (a * d - b * b)[..., None, None]
    return inverse


def surprise(
    mean: Floats, covariance: Floats, seen_m: Floats, seen_covariance: Floats
) -> tuple[Floats, Floats]:
    """Squared Mahalanobis distance and log determinant of the spread, (n, m), of n tracks and m places."""
    spread = covariance[:, None, :2, :2] + seen_covariance[None]
    a, b, d = spread[..., 0, 0], spread[..., 0, 1], spread[..., 1, 1]
    determinant = a * d - b * b
    off = seen_m[None] - mean[:, None, :2]
    x, y = off[..., 0], off[..., 1]
    squared: Floats = (d * x * x - 2 * b * x * y + a * y * y) / determinant
    spread_log: Floats = np.log(determinant)
    return squared, spread_log
