"""Who is where on the floor, as the store process last said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contract.facts import ProcessHealth
from runtime.config.sections import Zone
from runtime.daybook.states import seeing
from runtime.messages import FloorNow, OnFloor
from runtime.store.floorplan import FloorZone

STALE_S = 3.0
"""Where people are is not known any more so long after the store process last said it."""


class PeopleOnFloor:
    """None, where nobody can say: the store process is silent, or nobody looks at pictures."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._said: FloorNow | None = None
        self.use(zones)

    def use(self, zones: Sequence[Zone]) -> None:
        """Go on with other zones."""
        self._zones = [FloorZone(zone.name, tuple(zone.polygon), zone.kind) for zone in zones]

    def take(self, said: FloorNow) -> None:
        """The store process says who is where."""
        self._said = said

    def everybody(self, health: Mapping[str, ProcessHealth], now_s: float) -> tuple[OnFloor, ...] | None:
        """Everybody on the floor now."""
        said = self._said
        is_known = said is not None and now_s - said.time_s < STALE_S and seeing(health, now_s)
        return said.people if said is not None and is_known else None

    def by_zone(self, health: Mapping[str, ProcessHealth], now_s: float) -> dict[str, int | None]:
        """How many are in each zone now."""
        people = self.everybody(health, now_s)
        if people is None:
            return dict.fromkeys((zone.name for zone in self._zones), None)
        return {zone.name: sum(zone.holds(*one.floor_xy_m) for one in people) for zone in self._zones}
