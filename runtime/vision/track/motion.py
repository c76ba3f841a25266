"""How people move: a Kalman filter on the floor, for many tracks at once.

The state is position and velocity (x, y, vx, vy) in metres and m/s. Velocity is an Ornstein-Uhlenbeck
process: a person keeps it for a few seconds, so one out of sight is expected to slow down and the
uncertainty of the place grows as walking does, not without bound in speed. The model is exact for any time
step, so the frame rate does not matter. Source: R. A. Singer, Estimating Optimal Tracking Filter Performance
for Manned Maneuvering Targets, 1970 (one integration fewer).
"""

from __future__ import annotations

import functools
import math

import numpy as np

from runtime.geometry import Floats


def predict(
    mean: Floats, covariance: Floats, dt_s: float, speed_sd_mps: Floats, memory_s: float
) -> tuple[Floats, Floats]:
    """States (n, 4) and covariances (n, 4, 4) after `dt_s`; the speeds have the standard deviations (n,)."""
    step, noise = _walk(dt_s, memory_s)
    moved: Floats = step @ covariance @ step.T
    moved += noise * (speed_sd_mps * speed_sd_mps)[:, None, None]
    return mean @ step.T, moved


def walked(mean: Floats, dt_s: float, memory_s: float) -> Floats:
    """States (n, 4) after `dt_s`."""
    step, _ = _walk(dt_s, memory_s)
    after: Floats = mean @ step.T
    return after


@functools.lru_cache(maxsize=64)
def _walk(dt_s: float, memory_s: float) -> tuple[Floats, Floats]:
    """The step (4, 4) that a time of `dt_s` is, and the covariance (4, 4) it adds at speeds of variance 1."""
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
    return step, noise


def correct(
    mean: Floats, covariance: Floats, seen_m: Floats, seen_covariance: Floats
) -> tuple[Floats, Floats]:
    """States and covariances after sighting positions (n, 2) with covariance (n, 2, 2)."""
    gain = covariance[:, :, :2] @ inverse_2x2(covariance[:, :2, :2] + seen_covariance)
    innovation = seen_m - mean[:, :2]
    corrected = mean + (gain @ innovation[:, :, None])[:, :, 0]
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


def mahalanobis(
    mean: Floats, covariance: Floats, seen_m: Floats, seen_covariance: Floats
) -> tuple[Floats, Floats]:
    """Squared Mahalanobis distance and log determinant of its covariance, (n, m), of n tracks and m
    positions."""
    a = covariance[:, 0, 0, None] + seen_covariance[:, 0, 0]
    b = covariance[:, 0, 1, None] + seen_covariance[:, 0, 1]
    d = covariance[:, 1, 1, None] + seen_covariance[:, 1, 1]
    determinant = a * d
    determinant -= b * b
    x = seen_m[:, 0] - mean[:, 0, None]
    y = seen_m[:, 1] - mean[:, 1, None]
    squared: Floats = d * x
    squared -= 2 * b * y
    squared *= x
    squared += a * y * y
    squared /= determinant
    log_determinant: Floats = np.log(determinant)
    return squared, log_determinant
