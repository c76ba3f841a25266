"""What processes that tell others of the shop as it is now have in common.

The store process says over `Attach("store", "store")` what is on disk, and who is where.
"""

from __future__ import annotations

import socket
from zoneinfo import ZoneInfo

from runtime.daybook.daybook import local_day
from runtime.daybook.following import Following
from runtime.messages import FloorNow, Message, WatchRequest
from runtime.neighbours.layout import Layout
from runtime.neighbours.now import KINDS, ShopNow
from runtime.processes.onlookers.store_line import StoreLine
from runtime.processes.service import Input, Service
from runtime.processes.spec import Spec

READ_EVERY_S = 1.0


class Neighbour(Service):
    """Keeps `shop` up to date."""

    def __init__(self, control: socket.socket, name: str, spec: Spec, layout: Layout) -> None:
        super().__init__(control, name, spec)
        self.shop = ShopNow(layout)
        zone = ZoneInfo(layout.timezone)
        self._events = Following(layout.outbox, lambda now_s: local_day(now_s, zone)[0], KINDS)
        self._store = StoreLine(self._receive)
        self._store.ask(WatchRequest(True))
        self.has_read = False
        """Since the process began."""
        self.accept("store", 1, self._store.attach, self._store.detach)
        self.every(READ_EVERY_S, self.read)

    @property
    def fault(self) -> str:
        """Why nothing is known, in a sentence."""
        return self._events.fault

    def inputs(self) -> list[Input]:
        """The store process."""
        return self._store.inputs()

    def read(self) -> None:
        """What has been written since the last time."""
        now_s = self.clock.now()
        self.shop.take(self._events.news(now_s), now_s)
        self.has_read = self.has_read or not self.fault

    def take_people(self, people: FloorNow) -> None:
        """The store process says who is where."""
        self.shop.take_people(people)

    def finish(self) -> None:
        """Let go of the store and its outbox."""
        self._store.detach("store")
        self._events.close()
        super().finish()

    def _receive(self, message: Message) -> None:
        if isinstance(message, FloorNow):
            self.take_people(message)
