"""What hangs in each fitting room now. Pure: time is an argument. A room that is empty is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from contract.facts import TryOn

LONGEST_S = 1800.0
"""A garment that nothing has been heard of for so long is no longer there: its end was lost."""
MOST_GARMENTS = 40


@dataclass
class RoomNow:
    """One visit to a room: garments there by the key of their try-on, and all that were tried in it."""

    here: dict[str, tuple[str, float]] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    is_called: bool = False

    @property
    def shown(self) -> list[str]:
        """The articles that are there, the last to come first, each once."""
        latest = sorted(self.here.values(), key=lambda one: -one[1])
        return list(dict.fromkeys(sku for sku, _ in latest))


class Rooms:
    """All rooms. `sku_of` knows articles of tags that the try-on has none for."""

    def __init__(self, sku_of: Callable[[str], str | None]) -> None:
        self._sku_of = sku_of
        self._rooms: dict[str, RoomNow] = {}

    def now(self, room: str) -> RoomNow:
        """As it is; an empty one where nobody is."""
        return self._rooms.get(room, RoomNow())

    def occupied(self) -> list[str]:
        """Rooms with a garment, by name."""
        return sorted(self._rooms)

    def take(self, fact: TryOn, now_s: float) -> bool:
        """Whether what the room's screen shows has changed.

        An open try-on comes in, a closed or withdrawn one goes; with the last one the whole visit goes.
        """
        room = self._rooms.get(fact.room)
        if not fact.open or fact.retracted:
            return room is not None and self._gone(fact.room, room, fact.key)
        sku = fact.sku or self._sku_of(fact.epc)
        if sku is None or now_s - fact.start_s > LONGEST_S:
            return False
        if room is None:
            room = self._rooms[fact.room] = RoomNow()
        is_new = fact.key not in room.here
        room.here[fact.key] = (sku, fact.start_s)
        if sku not in room.tried:
            room.tried.append(sku)
        while len(room.here) > MOST_GARMENTS:
            del room.here[min(room.here, key=lambda key: room.here[key][1])]
        del room.tried[:-MOST_GARMENTS]
        return is_new

    def expire(self, now_s: float) -> list[str]:
        """Forget garments whose end was lost; the rooms that changed by it."""
        changed = []
        for name, room in list(self._rooms.items()):
            for key, (_, start_s) in list(room.here.items()):
                if now_s - start_s > LONGEST_S and self._gone(name, room, key):
                    changed.append(name)
        return list(dict.fromkeys(changed))

    def call(self, room: str, is_called: bool) -> bool:
        """Ask for staff, or say that they come; whether that changed anything. Empty rooms call nobody."""
        found = self._rooms.get(room)
        if found is None or found.is_called == is_called:
            return False
        found.is_called = is_called
        return True

    def _gone(self, name: str, room: RoomNow, key: str) -> bool:
        if room.here.pop(key, None) is None:
            return False
        if not room.here:
            del self._rooms[name]
        return True
