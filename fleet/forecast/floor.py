"""What no forecast can do better: persons come one by one, so a count scatters about its own expectation."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from fleet.forecast.series import Floats

SURE = 400.0
"""From so many persons on the normal distribution stands for Poisson's."""


def mean_deviation(expected: Floats) -> Floats:
    """Mean of |X - m| of a Poisson variable X of mean m: 2 exp(-m) m^(k+1) / k!, k = floor(m) (Crow 1958)."""
    mean = np.maximum(expected, 1e-9)
    whole = np.floor(mean)
    found: Floats = 2 * np.exp(-mean + (whole + 1) * np.log(mean) - gammaln(whole + 1))
    return np.where(np.isnan(expected), np.nan, found)


def mean_relative_deviation(expected: Floats) -> Floats:
    """Mean of |X - m| / X over X > 0, the MAPE that knowing m exactly still has; 0.19 at 20 persons."""
    grid = np.concatenate([np.arange(0.05, 5, 0.05), np.geomspace(5, SURE, 200)])
    number = np.arange(1, int(SURE + 10 * np.sqrt(SURE)))
    chance = np.exp(-grid[:, None] + number * np.log(grid)[:, None] - gammaln(number + 1))
    deviation = np.abs(number - grid[:, None]) / number
    share = (chance * deviation).sum(1) / chance.sum(1)
    many = np.sqrt(2 / np.pi / np.maximum(expected, SURE))
    return np.where(expected >= SURE, many, np.interp(expected, grid, share))
