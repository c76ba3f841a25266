"""What processes that tell others of the shop as it is now have in common.

The store process says over `Attach("store", "store")` what is on disk, and who is where.
"""

from __future__ import annotations

import logging
import os
import socket
from zoneinfo import ZoneInfo

import msgspec

from runtime import messages
from runtime.console.days.daybook import local_day
from runtime.messages import FloorNow, PeerGone, WatchRequest
from runtime.neighbours.following import Following
from runtime.neighbours.layout import Layout
from runtime.neighbours.now import KINDS, ShopNow
from runtime.processes.service import Input, Service
from runtime.processes.spec import Spec

READ_EVERY_S = 1.0

log = logging.getLogger(__name__)


class Neighbour(Service):
    """Keeps `shop` up to date."""

    def __init__(self, control: socket.socket, name: str, spec: Spec, layout: Layout) -> None:
        super().__init__(control, name, spec)
        self.shop = ShopNow(layout)
        zone = ZoneInfo(layout.timezone)
        self._events = Following(layout.outbox, KINDS, lambda now_s: local_day(now_s, zone)[0])
        self._store: socket.socket | None = None
        self.has_read = False
        """Since the process began."""
        self.accept("store", 1, self._attach_store, self._detach_store)
        self.every(READ_EVERY_S, self.read)

    @property
    def fault(self) -> str:
        """Why nothing is known, in a sentence."""
        return self._events.fault

    def inputs(self) -> list[Input]:
        """The store process."""
        return [] if self._store is None else [(self._store.fileno(), self._receive)]

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
        self._detach_store("store")
        self._events.close()
        super().finish()

    def _attach_store(self, name: str, fd: int) -> None:
        self._detach_store(name)
        self._store = socket.socket(fileno=fd)
        self._store.setblocking(False)
        try:
            messages.send(self._store, WatchRequest(True))
        except (BlockingIOError, PeerGone):
            self._detach_store(name)

    def _detach_store(self, _: str) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None

    def _receive(self) -> None:
        while self._store is not None:
            try:
                message, fds = messages.receive(self._store)
            except BlockingIOError:
                return
            except PeerGone:
                self._detach_store("store")
                return
            except msgspec.DecodeError as error:
                log.warning("the store sent what is no record: %s", error)
                continue
            for fd in fds:
                os.close(fd)
            if isinstance(message, FloorNow):
                self.take_people(message)
