"""The shop at this moment: how each process is, what was counted today, how many are where."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from contract.envelope import Event
from contract.facts import Flip, Footfall, ProcessHealth, TryOn
from runtime.daybook.daybook import local_day
from runtime.daybook.people import PeopleOnFloor
from runtime.daybook.states import SILENT_S
from runtime.messages import FloorNow
from runtime.neighbours.day_count import DayCount
from runtime.neighbours.layout import Layout

KINDS = frozenset({"health", "footfall", "flip", "tryon"})
"""The kinds of events that it is made of."""
NO_FIXTURE = ""


class ShopNow:
    """Takes events and where people are; knows nothing of visitors but how many there are."""

    def __init__(self, layout: Layout) -> None:
        self._day_s = (0.0, 0.0)
        self._health: dict[str, ProcessHealth] = {}
        self._people = PeopleOnFloor(layout.zones)
        self._entered, self._left = DayCount(), DayCount()
        self._handled, self._tried = DayCount(), DayCount()
        self.use(layout)

    def use(self, layout: Layout) -> None:
        """Go on with another plan of the same store."""
        self.layout = layout
        self._zone = ZoneInfo(layout.timezone)
        self._people.use(layout.zones)

    def take(self, events: Iterable[Event], now_s: float) -> None:
        """What has been written. At local midnight counts begin anew."""
        self._begin_day(now_s)
        for event in events:
            self._take(event)

    def take_people(self, people: FloorNow) -> None:
        """The store process says who is where."""
        self._people.take(people)

    def health(self, now_s: float) -> dict[str, ProcessHealth]:
        """The newest word of each process that has said something lately."""
        return {name: found for name, found in self._health.items() if now_s - found.time_s < SILENT_S}

    def entered(self) -> dict[str, int]:
        """Persons who came in today, by entrance."""
        return {name: self._entered.totals().get(name, 0) for name in self.layout.entrances}

    def left(self) -> dict[str, int]:
        """Persons who went out today, by entrance."""
        return {name: self._left.totals().get(name, 0) for name in self.layout.entrances}

    def handled(self) -> dict[str, int]:
        """Garments turned over or picked today, by fixture; "" where the tag belongs to none."""
        return self._handled.totals()

    def tried_on(self) -> dict[str, int]:
        """Garments tried on today, by fitting room."""
        return self._tried.totals()

    def persons(self, now_s: float) -> int | None:
        """How many are on the floor; None: not known."""
        people = self._people.everybody(self._health, now_s)
        return None if people is None else len(people)

    def persons_by_zone(self, now_s: float) -> dict[str, int | None]:
        """How many are in each zone; None: not known."""
        return self._people.by_zone(self._health, now_s)

    def _begin_day(self, now_s: float) -> None:
        if self._day_s[0] <= now_s < self._day_s[1]:
            return
        self._day_s = local_day(now_s, self._zone)
        for count in (self._entered, self._left, self._handled, self._tried):
            count.begin_day()

    def _take(self, event: Event) -> None:
        fact = event.fact
        if isinstance(fact, ProcessHealth):
            self._health[fact.process] = fact
            return
        if fact.time_s < self._day_s[0]:
            return
        once = 0 if fact.retracted else 1
        if isinstance(fact, Footfall):
            self._entered.take(fact.key, fact.rev, fact.entrance, fact.entered * once)
            self._left.take(fact.key, fact.rev, fact.entrance, fact.left * once)
        elif isinstance(fact, Flip):
            self._handled.take(fact.key, fact.rev, fact.fixture or NO_FIXTURE, once)
        elif isinstance(fact, TryOn):
            self._tried.take(fact.key, fact.rev, fact.room, once)
