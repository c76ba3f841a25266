"""Random customers of a generated store: they walk to a rack, stand there for a while, move on."""

from __future__ import annotations

import numpy as np

from rfid_reader.simulator.people.crowd import CrowdPath
from rfid_reader.simulator.people.handling import Rack

STEP_S = 0.1
WALK_M_PER_S = (0.7, 1.4)
STAND_S = (4.0, 20.0)


def random_browsers(
    count: int, racks: list[Rack], duration_s: float, rng: np.random.Generator
) -> list[CrowdPath]:
    """`count` people for `duration_s`, each on the floor the whole time, swaying where they stand."""
    return [_browser(f"visitor-{number + 1}", racks, duration_s, rng) for number in range(count)]


def _browser(person: str, racks: list[Rack], duration_s: float, rng: np.random.Generator) -> CrowdPath:
    centre = np.mean([rack.at for rack in racks], axis=0)
    here = centre + rng.uniform(-4, 4, 2)
    points = [here]
    while len(points) * STEP_S < duration_s + STEP_S:
        rack = racks[int(rng.integers(len(racks)))]
        side = float(rng.choice([-1, 1])) * rng.uniform(0.45, 1.0)
        across = np.array([-rack.along[1], rack.along[0]])
        target = rack.at + rack.along[:2] * rng.uniform(-1, 1) * rack.half_length_m + across * side
        if rng.random() < 0.35:
            target = centre + rng.uniform(-5, 5, 2)
        steps = max(int(np.linalg.norm(target - here) / rng.uniform(*WALK_M_PER_S) / STEP_S), 1)
        points += [here + (target - here) * (step + 1) / steps for step in range(steps)]
        here = target
        stand = int(rng.uniform(*STAND_S) / STEP_S)
        drift = np.cumsum(rng.normal(0, 0.012, (stand, 2)), axis=0)
        points += list(here + 0.1 * np.tanh(drift / 0.1))
        here = points[-1]
    table = np.asarray(np.array(points), np.float64)
    return CrowdPath(person, np.asarray(np.arange(len(table)) * STEP_S, np.float64), table)
