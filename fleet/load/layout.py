"""Where things stand in a made-up shop: zones in rows with a rack in each, doors along the front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from contract.base import Point
from contract.shop import EntrancePlace, FixturePlace, ZonePlace

ZONE_M = (5.0, 4.0)
AISLE_M = 1.2
RACK_M = (2.6, 0.5)
DOOR_M = 2.0
STREET_M = 1.8


def layout(zones: Sequence[str], doors: Sequence[str]) -> dict[str, Any]:
    """The fields of a `Store` that say where things stand."""
    columns = math.ceil(math.sqrt(1.6 * len(zones)))
    rows = math.ceil(len(zones) / columns)
    width = columns * (ZONE_M[0] + AISLE_M) + AISLE_M
    depth = rows * (ZONE_M[1] + AISLE_M) + 2 * AISLE_M
    places, racks = [], []
    for at, name in enumerate(zones):
        left = AISLE_M + (at % columns) * (ZONE_M[0] + AISLE_M)
        top = AISLE_M + (at // columns) * (ZONE_M[1] + AISLE_M)
        places.append(ZonePlace(name, "area", _box(left, top, *ZONE_M)))
        rack = _box(left + (ZONE_M[0] - RACK_M[0]) / 2, top + 0.4, *RACK_M)
        racks.append(FixturePlace(f"rack {name}", "rack", rack, name))
    return {
        "zones": tuple(places),
        "fixtures": tuple(racks),
        "entrances": tuple(
            _door(name, (at + 1) * width / (len(doors) + 1), depth) for at, name in enumerate(doors)
        ),
        "extent_m": (0.0, 0.0, width, depth + STREET_M),
    }


def _box(left: float, top: float, width: float, depth: float) -> tuple[Point, ...]:
    right, bottom = left + width, top + depth
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _door(name: str, x: float, depth: float) -> EntrancePlace:
    return EntrancePlace(name, ((x - DOOR_M / 2, depth), (x + DOOR_M / 2, depth)), (x, depth - 1.0))
