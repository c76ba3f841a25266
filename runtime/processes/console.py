"""The console process: pages for a browser.

The store process says over `Attach("store", "store")` what is on disk, and while somebody looks who is where.
The server has a thread of its own (`runtime.console.server`); nothing of it is imported before the process
begins, for a box without pages needs none of its packages.
"""

from __future__ import annotations

import logging
import os
import socket
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from runtime import messages
from runtime.config import StoreConfig
from runtime.config.checks.console import missing_packages
from runtime.console.shown import Setup, ShownStore
from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import FrameRing
from runtime.frames.ring.lending import FrameConsumer
from runtime.messages import (
    CameraNow,
    Committed,
    FloorNow,
    Health,
    HealthState,
    Message,
    PeerGone,
    ReaderReads,
    WatchRequest,
)
from runtime.processes.onlookers.store_line import StoreLine
from runtime.processes.service import Input, Service
from runtime.processes.spec import Spec
from tagsight.errors import TagsightError

if TYPE_CHECKING:
    from runtime.console.app import ShopPages
    from runtime.console.server import WebServer

TRY_EVERY_S = 5.0
ASK_EVERY_S = 0.2
"""Five frames a second of each camera that somebody looks at."""

log = logging.getLogger(__name__)


class ConsoleSpec(Spec, frozen=True):
    """Where the pages are, and what they show, which can change while they are served."""

    LIVE = frozenset({"shown"})

    setup: Setup
    shown: ShownStore


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> ConsoleSpec:
    """The spec of the console; there is one, whatever `name` says."""
    return ConsoleSpec(Setup.of(config), ShownStore.of(config), clock=clock)


class ConsoleProcess(Service):
    """Sockets around the pages."""

    def __init__(self, control: socket.socket, spec: ConsoleSpec) -> None:
        super().__init__(control, "console", spec)
        self._spec = spec
        self._store = StoreLine(self._receive)
        self._pages: ShopPages | None = None
        self._server: WebServer | None = None
        self._fault = ""
        self._people_wanted = False
        self._reload_wanted = False
        self.accept("store", 1, self._store.attach, self._store.detach)
        self._cameras: dict[str, FrameConsumer] = {}
        self._asked: set[str] = set()
        self._readers: dict[str, socket.socket] = {}
        self.accept("reader", 1, self._attach_reader, self._detach_reader)
        self.accept("camera", 2, self._attach_camera, self._detach_camera)
        self.configured_by(ConsoleSpec, self._apply_config)
        self.every(TRY_EVERY_S, self._serve)
        self.every(TRY_EVERY_S, self._pass_wish_on)
        self.every(ASK_EVERY_S, self._ask_for_frames)

    def inputs(self) -> list[Input]:
        """The store process and the cameras."""
        cameras = [
            (consumer.sock.fileno(), partial(self._receive_frame, name))
            for name, consumer in self._cameras.items()
        ]
        readers = [
            (sock.fileno(), partial(self._receive_survey, name)) for name, sock in self._readers.items()
        ]
        return [*self._store.inputs(), *cameras, *readers]

    def on_wake(self) -> None:
        """Somebody begins or ceases to look."""
        self._tell_store()
        self._ask_for_frames()
        self._pass_wish_on()

    def finish(self) -> None:
        """Let the browsers go."""
        if self._server is not None:
            self._server.stop()
        for name in list(self._cameras):
            self._detach_camera(name)
        for name in list(self._readers):
            self._detach_reader(name)
        super().finish()

    def health(self) -> Health:
        """Whether the pages are there, and how many look."""
        now_s = self.clock.now()
        if self._fault:
            return Health(self.name, HealthState.UNUSABLE, now_s, now_s, self._fault)
        viewers = 0 if self._pages is None else self._pages.live.feed.viewers
        state = HealthState.STARTING if self._server is None else HealthState.LIVE
        return Health(self.name, state, now_s, now_s, "", {"viewers": float(viewers)})

    def _serve(self) -> None:
        """Begin to serve, or try again what has failed."""
        if self._server is not None:
            if self._server.alive:
                return
            raise TagsightError("the console's server has ended by a fault; its trace is in the log")
        if names := missing_packages():
            self._say_fault(f"packages are missing ({', '.join(names)}): pip install 'tagsight[console]'")
            return
        from runtime.console.app import ShopPages
        from runtime.console.server import Address, ServerError, WebServer
        from web.accounts import new_code
        from web.errors import WebError

        code = new_code()
        try:
            address = Address(self._spec.setup)
            self._pages = ShopPages(
                self._spec.setup,
                self._spec.shown,
                self.clock.now,
                self._watch_people,
                self.wake,
                code,
                self._want_reload,
            )
        except (ServerError, WebError) as error:
            self._say_fault(str(error))
            return
        self._fault = ""
        self._server = WebServer(address, self._pages.app(), self._pages.live.close)
        self._server.start()
        log.info("the pages are at %s", self._spec.setup.url())
        if address.fingerprint:
            log.info("the certificate's SHA-256 fingerprint is %s", address.fingerprint)
        if not self._pages.users.all():
            log.info("nobody can sign in yet: the first-run code is %s (or: tagsight view)", code)

    def _say_fault(self, fault: str) -> None:
        if fault != self._fault:
            log.error("%s", fault)
        self._fault = fault

    def _watch_people(self, wanted: bool) -> None:
        """Called by the server's thread."""
        self._people_wanted = wanted
        self.wake()

    def _pass_wish_on(self) -> None:
        if self._reload_wanted and self.control.ask_for_reload():
            self._reload_wanted = False

    def _want_reload(self) -> None:
        """Called by the server's thread."""
        self._reload_wanted = True
        self.wake()

    def _tell_store(self) -> None:
        cameras = () if self._pages is None else tuple(sorted(self._pages.pictures.wanted()))
        self._store.ask(WatchRequest(self._people_wanted, cameras))

    def _receive(self, message: Message) -> None:
        if self._pages is None or self._server is None:
            return
        if isinstance(message, FloorNow):
            self._server.call(self._pages.live.take_people, message)
        elif isinstance(message, Committed):
            self._server.call(self._pages.live.take_committed, message.seq)
        elif isinstance(message, CameraNow):
            self._pages.pictures.found(message)

    def _attach_reader(self, name: str, fd: int) -> None:
        self._detach_reader(name)
        self._readers[name] = socket.socket(fileno=fd)
        self._readers[name].setblocking(False)

    def _detach_reader(self, name: str) -> None:
        sock = self._readers.pop(name, None)
        if sock is not None:
            sock.close()

    def _receive_survey(self, name: str) -> None:
        """What a reader's antennas have read."""
        while (sock := self._readers.get(name)) is not None:
            try:
                message, fds = messages.receive(sock)
            except BlockingIOError:
                return
            except (PeerGone, OSError, msgspec.DecodeError):
                self._detach_reader(name)
                return
            _close_all(fds)
            if isinstance(message, ReaderReads) and self._pages is not None and self._server is not None:
                self._server.call(self._pages.radio.take, message)

    def _attach_camera(self, name: str, ring_fd: int, socket_fd: int) -> None:
        self._detach_camera(name)
        sock = socket.socket(fileno=socket_fd)
        try:
            self._cameras[name] = FrameConsumer(FrameRing.attach(ring_fd), sock)
        except FrameError as error:
            log.error("camera %s: %s", name, error)
            sock.close()

    def _detach_camera(self, name: str) -> None:
        consumer = self._cameras.pop(name, None)
        self._asked.discard(name)
        if consumer is not None:
            consumer.close()

    def _ask_for_frames(self) -> None:
        """One frame of each camera that somebody looks at."""
        if self._pages is None:
            return
        for name in self._pages.pictures.wanted() & self._cameras.keys() - self._asked:
            try:
                self._cameras[name].ask()
                self._asked.add(name)
            except BlockingIOError:
                continue
            except PeerGone:
                self._detach_camera(name)

    def _receive_frame(self, name: str) -> None:
        consumer = self._cameras.get(name)
        if consumer is None:
            return
        try:
            ready = consumer.newest()
            if ready is not None:
                self._asked.discard(name)
                if self._pages is not None:
                    self._pages.pictures.frame(name, consumer.header(ready), consumer.frame(ready))
                consumer.give_back(ready)
        except (PeerGone, FrameError) as error:
            log.debug("camera %s is gone: %s", name, error)
            self._detach_camera(name)

    def _apply_config(self, spec: ConsoleSpec) -> None:
        self._spec = spec
        if self._pages is not None and self._server is not None:
            self._server.call(self._pages.use, spec.shown)


def _close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


def main(control: socket.socket, spec: ConsoleSpec) -> None:
    """Show pages until told to stop or the supervisor is gone."""
    ConsoleProcess(control, spec).run()
