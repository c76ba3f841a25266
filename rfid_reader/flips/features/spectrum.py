"""Spectra of unevenly sampled series, and the distance of two distributions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def spectral_shares(
    group: NDArray[np.int64], groups: int, time_s: Array, value: Array, frequencies_hz: Array
) -> Array:
    """Share of each frequency in the power of each group's series; (groups, frequencies), rows sum to 1.

    Least-squares (Lomb-Scargle) periodogram of the mean-free values at their own times, so gaps and uneven
    reads need no resampling: Lomb 1976, Scargle 1982. A group without power has equal shares.
    """
    count = np.maximum(np.bincount(group, minlength=groups), 1)
    mean = np.bincount(group, value, groups) / count
    centred = value - mean[group]
    power = np.empty((groups, len(frequencies_hz)))
    for column, frequency_hz in enumerate(frequencies_hz):
        angle = 2 * math.pi * frequency_hz * time_s
        tau = 0.5 * np.arctan2(
            np.bincount(group, np.sin(2 * angle), groups), np.bincount(group, np.cos(2 * angle), groups)
        )
        cosine, sine = np.cos(angle - tau[group]), np.sin(angle - tau[group])
        along = np.bincount(group, centred * cosine, groups) ** 2
        across = np.bincount(group, centred * sine, groups) ** 2
        cosine2 = np.bincount(group, cosine**2, groups)
        sine2 = np.bincount(group, sine**2, groups)
        power[:, column] = along / np.maximum(cosine2, 1e-3) + across / np.maximum(sine2, 1e-3)
    total = power.sum(1, keepdims=True)
    equal = np.full_like(power, 1 / len(frequencies_hz))
    return np.where(total > 1e-12, power / np.maximum(total, 1e-12), equal)


def shares_with_rest(
    group: NDArray[np.int64], groups: int, time_s: Array, parts: tuple[Array, ...], frequencies_hz: Array
) -> Array:
    """Share of rest (0 Hz) and of each frequency in the power of each group's series; (groups, 1 +
    frequencies), rows sum to 1.

    A series has one or several real parts (a phasor has two). By Parseval its power is that of its mean plus
    its variance; the variance is split as `spectral_shares` says. So a series that stays where it is has all
    its power at 0 Hz, however noisy its other frequencies are. A group without reads is at rest.
    """
    count = np.maximum(np.bincount(group, minlength=groups), 1)
    still, moving = np.zeros(groups), np.zeros((groups, len(frequencies_hz)))
    for part in parts:
        mean = np.bincount(group, part, groups) / count
        variance = np.maximum(np.bincount(group, part**2, groups) / count - mean**2, 0.0)
        still += mean**2
        moving += variance[:, None] * spectral_shares(group, groups, time_s, part, frequencies_hz)
    total = still + moving.sum(1)
    shares = np.column_stack([still, moving])
    at_rest = np.zeros_like(shares)
    at_rest[:, 0] = 1.0
    return np.where(total[:, None] > 1e-12, shares / np.maximum(total, 1e-12)[:, None], at_rest)


def js_divergence(first: Array, second: Array) -> Array:
    """Jensen-Shannon divergence of distributions along the last axis, in bits: 0 alike, 1 disjoint (Lin
    1991).
    """
    middle = 0.5 * (first + second)

    def relative(shares: Array) -> Array:
        ratio = np.where(shares > 0, shares / np.where(middle > 0, middle, 1.0), 1.0)
        return np.asarray((shares * np.log2(ratio)).sum(-1))

    return np.clip(0.5 * relative(first) + 0.5 * relative(second), 0.0, 1.0)
