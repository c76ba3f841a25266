"""The shop at this moment: who is where, how many in each zone, what has just happened."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import tzinfo
from typing import Any

from contract.describe import clock_time, in_words, short_visitor
from contract.envelope import Event
from contract.facts import Dwell, Interaction, TryOn, Visit
from contract.gaps import Gap
from runtime.console.health_words import DeviceWords, devices
from runtime.console.shown import ShownStore
from runtime.daybook.daybook import Daybook
from runtime.daybook.people import PeopleOnFloor
from runtime.messages import FloorNow
from web.feed import Feed

TICKER_LINES = 40
TICKER_KINDS = (Visit, Dwell, Interaction, TryOn, Gap)
READ_EVERY_S = 0.5
DECIMALS = 2


class Live:
    """Used by the server's event loop; `read` runs in the one thread that reads the outbox.

    `watch` is called with whether anybody looks.
    """

    def __init__(
        self,
        shown: ShownStore,
        zone: tzinfo,
        daybook: Daybook,
        now: Callable[[], float],
        watch: Callable[[bool], None],
    ) -> None:
        self.daybook = daybook
        self.reading = ThreadPoolExecutor(1, thread_name_prefix="daybook")
        self._now = now
        self._zone = zone
        self._people = PeopleOnFloor(shown.zones)
        self._ticker: deque[dict[str, str]] = deque(maxlen=TICKER_LINES)
        self._seq = 0
        self._reading = False
        self.feed = Feed(self.snapshot, lambda viewers: watch(viewers > 0))
        self.use(shown)

    def use(self, shown: ShownStore) -> None:
        """Go on with another plan."""
        self._shown = shown
        self._people.use(shown.zones)

    def take_people(self, now: FloorNow) -> None:
        """The store process says who is where."""
        self._people.take(now)
        self.feed.tell("people", self._floor())

    def take_committed(self, seq: int) -> None:
        """The store process says what is on disk; it is read if somebody looks."""
        self._seq = seq
        if self.feed.viewers and not self._reading:
            self._reading = True
            asyncio.get_running_loop().call_later(READ_EVERY_S, self._begin_reading)

    async def read(self) -> list[Event]:
        """What has been written since the last time."""
        loop = asyncio.get_running_loop()
        news = await loop.run_in_executor(self.reading, self.daybook.catch_up, self._now())
        self._ticker.extend(self._line(event) for event in news if isinstance(event.fact, TICKER_KINDS))
        return news

    def snapshot(self) -> dict[str, Any]:
        """Everything that the page shows."""
        return {**self._floor(), **self._counts(), "ticker": list(self._ticker), "handled": []}

    def gates(self) -> dict[str, tuple[int, int]]:
        """In and out today of every entrance there is."""
        counted = self.daybook.gates()
        return {entrance.name: counted.get(entrance.name, (0, 0)) for entrance in self._shown.entrances}

    def devices(self) -> list[DeviceWords]:
        """Cameras and readers, and how each is."""
        return devices(self._shown, self.daybook.health(), self._now())

    def zones(self) -> dict[str, int | None]:
        """How many are in each zone now; None: not known."""
        return self._people.by_zone(self.daybook.health(), self._now())

    def close(self) -> None:
        """Let everybody go."""
        self.feed.close()
        self.reading.shutdown(wait=False, cancel_futures=True)
        self.daybook.close()

    def _begin_reading(self) -> None:
        task = asyncio.get_running_loop().create_task(self._tell_news())
        task.add_done_callback(lambda _: None)
        self._task = task

    async def _tell_news(self) -> None:
        seq = self._seq
        try:
            news = await self.read()
        finally:
            self._reading = False
        lines = [self._line(event) for event in news if isinstance(event.fact, TICKER_KINDS)]
        handled = [_handled(event.fact) for event in news if isinstance(event.fact, Interaction)]
        self.feed.tell("news", {**self._counts(), "ticker": lines, "handled": handled})
        if self._seq != seq:
            self.take_committed(self._seq)

    def _floor(self) -> dict[str, Any]:
        people = self._people.everybody(self.daybook.health(), self._now())
        return {
            "known": people is not None,
            "people": [
                [short_visitor(one.visitor), *(round(metres, DECIMALS) for metres in one.floor_xy_m)]
                for one in people or ()
            ],
            "zones": self.zones(),
        }

    def _counts(self) -> dict[str, Any]:
        return {
            "gates": self.gates(),
            "devices": [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "level": one.level,
                    "words": one.words,
                    "parts": one.parts,
                }
                for one in self.devices()
            ],
            "fault": self.daybook.fault,
        }

    def _line(self, event: Event) -> dict[str, str]:
        fact = event.fact
        return {
            "seq": str(event.envelope.seq),
            "time": clock_time(fact.time_s, self._zone),
            "kind": fact.kind,
            "words": in_words(fact),
        }


def _handled(fact: Interaction) -> dict[str, Any]:
    """A garment that was handled: at which rack, by whom, how surely, and where they stood."""
    place: Sequence[float] | None = None if fact.evidence is None else fact.evidence.floor_xy_m
    visitor = None if fact.visitor is None else short_visitor(fact.visitor)
    return {
        "rack": fact.fixture,
        "visitor": visitor,
        "who": fact.who,
        "probability": fact.probability,
        "words": fact.who if visitor is None else f"{visitor} {fact.probability:.0%}",
        "at": None if place is None else [round(metres, DECIMALS) for metres in place],
        "sku": fact.sku or "",
    }
