"""Where somebody who was not there before may turn up: at the entrances, and now and then anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.store.floorplan import EntranceLine

INSIDE_SHARE = 0.2
"""How many of those who turn up new do so away from every entrance: cameras miss people, and see things."""
WITHIN_M, BESIDE_M, BEFORE_M = 1.5, 1.0, 3.0
"""Where cameras first see who comes in: up to so far behind the line, beside it, before it."""


class Arrivals:
    """Density of newcomers over the floor, a square metre; even without entrances."""

    def __init__(self, area_m2: float, entrances: Sequence[EntranceLine] = ()) -> None:
        self._entrances = tuple(entrances)
        self._even = 1.0 / area_m2
        around_m2 = sum((each.length_m + 2 * BESIDE_M) * (WITHIN_M + BEFORE_M) for each in entrances)
        self._at_entrance = (1 - INSIDE_SHARE) / around_m2 if around_m2 else 0.0

    def density(self, x_m: float, y_m: float) -> float:
        """Of newcomers at a place, as if all of them came at once: it sums up to 1."""
        if not self._entrances:
            return self._even
        return INSIDE_SHARE * self._even + self.is_near(x_m, y_m) * self._at_entrance

    def is_near(self, x_m: float, y_m: float) -> bool:
        """Whether a place is at an entrance, or there are none that are known."""
        return not self._entrances or any(
            -BEFORE_M <= depth_m <= WITHIN_M and -BESIDE_M <= along_m <= each.length_m + BESIDE_M
            for each in self._entrances
            for depth_m, along_m in [each.stand(x_m, y_m)]
        )
