"""How likely a new track is where it is if it is a person who was seen before, from place and walking time.

Densities are per square metre (and, where both walk, per (m/s)^2 as a ratio to a stranger's); `identity`
holds them against a stranger's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime.store.people.motion import Position, RecentMotion

MEMORY_S = 30.0
"""A person lost for longer is not taken up again."""
CO_LOCATION_SIGMA_M = 0.45
"""How far two calibrated cameras disagree about one foot point."""
LOSS_SIGMA_M, DRIFT_M_PER_S = 0.4, 0.45
"""Spread of a lost person's place: at once, and added with every second."""
SURVIVAL_S = 10.0
"""Time constant with which a lost person is no longer expected back."""
WALKING_LIMIT_M_PER_S, REACH_M = 2.5, 1.5


def co_location(person: RecentMotion, positions: Sequence[Position], timeout_s: float) -> float:
    """Density of the mean offset between two cameras' views of the same moments; 0 where none is shared.

    A position is compared with the person's place where that is known within `timeout_s` of it.
    """
    offsets = [
        (position.x_m - at[0], position.y_m - at[1])
        for position in positions
        if (at := person.at(position.time_s, timeout_s)) is not None
    ]
    if not offsets:
        return 0.0
    return _gauss2(float(np.hypot(*np.mean(offsets, axis=0))), CO_LOCATION_SIGMA_M)


def reassociation(person: RecentMotion, track: RecentMotion, born: Position, gap_s: float) -> float:
    """Density of appearing at `born` `gap_s` after the person was lost, walking as they did."""
    gap_s = max(gap_s, 0.0)
    last = person.last
    moved_m = float(np.hypot(born.x_m - last.x_m, born.y_m - last.y_m))
    if gap_s > MEMORY_S or moved_m > REACH_M + WALKING_LIMIT_M_PER_S * gap_s:
        return 0.0
    velocity = person.velocity()
    x_m, y_m = person.expected(gap_s)
    sigma_m = float(np.hypot(LOSS_SIGMA_M, DRIFT_M_PER_S * gap_s))
    density = _gauss2(float(np.hypot(born.x_m - x_m, born.y_m - y_m)), sigma_m)
    new_velocity = track.velocity()
    if velocity is not None and new_velocity is not None:
        sigma = float(np.hypot(0.5, 0.5 * min(gap_s, 4.0)))
        change = float(np.hypot(new_velocity[0] - velocity[0], new_velocity[1] - velocity[1]))
        density *= _gauss2(change, sigma) / max(_gauss2(float(np.hypot(*new_velocity)), 1.2), 1e-9)
    return density * float(np.exp(-gap_s / SURVIVAL_S))


def _gauss2(distance: float, sigma: float) -> float:
    """Density of a round two-dimensional normal distribution at a distance from its middle."""
    return float(np.exp(-0.5 * (distance / sigma) ** 2) / (2 * np.pi * sigma**2))
