"""What a box tells of its shop's setup: the floor plan as the contract words it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from contract.facts import Store
from contract.shop import EntrancePlace, FixturePlace, Weekday, ZonePlace
from runtime.store.floorplan import FloorPlan, Place


def setup_of(
    plan: FloorPlan, timezone: str, opening_hours: Mapping[Weekday, Sequence[str]], time_s: float
) -> Store:
    """The setup that holds from `time_s` on. `revision` says what is reported, not when."""
    fact = Store(
        key=f"store:{round(time_s * 1000)}",
        time_s=time_s,
        timezone=timezone,
        revision="",
        opening_hours={day: tuple(spans) for day, spans in opening_hours.items()},
        entrances=tuple(EntrancePlace(one.name, one.line, one.inside) for one in plan.entrances),
        zones=tuple(ZonePlace(one.name, one.kind, one.polygon) for one in plan.zones),
        fixtures=tuple(_fixture(plan, place) for place in plan.fixtures.values()),
        extent_m=plan.extent_m,
    )
    reported = msgspec.json.encode(msgspec.structs.replace(fact, key="", time_s=0.0))
    return msgspec.structs.replace(fact, revision=hashlib.sha256(reported).hexdigest()[:12])


def _fixture(plan: FloorPlan, place: Place) -> FixturePlace:
    x_m, y_m = (float(value) for value in np.mean(place.outline, axis=0))
    zone = next((zone.name for zone in plan.zones if zone.holds(x_m, y_m)), None)
    return FixturePlace(
        place.name, "fitting_room" if place.name in plan.rooms else "rack", place.outline, zone
    )
