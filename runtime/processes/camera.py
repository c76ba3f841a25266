"""The camera process: one source into one ring of frames.

The ring comes with `Attach("ring", …)`, each reader's socket with `Attach("frames", READER)`. Reading has a
thread of its own (`runtime.frames.capture`); this one moves slots back, answers the supervisor and says every
second how the source is.
"""

from __future__ import annotations

import logging
import random
import re
import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import msgspec
from msgspec.structs import replace

from runtime.backoff import Backoff
from runtime.clock import HostClock
from runtime.config import Camera, StoreConfig, open_to_others
from runtime.config.cameras import source_uri, substream_uri
from runtime.errors import TagsightError
from runtime.frames import csi, decoder, files, live, motion_jpeg
from runtime.frames.capture import Capture
from runtime.frames.errors import FrameError
from runtime.frames.lending import FrameLender, LentRing
from runtime.frames.opening import open_source
from runtime.frames.ring import FrameRing
from runtime.frames.sources import Source, SourceState
from runtime.frames.substream import MainOrSubstream
from runtime.messages import Attach, Configure, Detach, Health, Message
from runtime.processes.control import ControlLine
from runtime.processes.handover import take_up

SOURCES = (csi, files, live, motion_jpeg)
"""Imported here, and so in the fork server, for every camera to share."""

SLOTS = 6
HEALTH_EVERY_S = 1.0
STALLED_AFTER_S = 15.0
"""A call into the source that takes longer has hung: its own time limits are far below."""
JOIN_S = 0.4

_PASSING = re.compile(r"; next try in [\d.]+ s|[\d.]+")
"""What may change in a detail without its being worth another line in the log."""

log = logging.getLogger(__name__)


class CameraSpec(msgspec.Struct, frozen=True):
    """What a camera process is started with."""

    camera: Camera
    clock: tuple[float, float]
    slots: int = SLOTS

    @property
    def max_size(self) -> tuple[int, int]:
        """Width and height of the largest frame the ring takes."""
        return self.camera.max_size

    def fixed(self) -> CameraSpec:
        """The spec without what can change while the process runs: how often a frame is looked at."""
        return replace(self, camera=replace(self.camera, analysis_fps=1.0))


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> CameraSpec:
    """The spec of the camera called `name`, without what only others need to know of it."""
    camera = next(camera for camera in config.cameras if camera.name == name)
    needed = replace(camera, homography=None, points=[], image_size=None, entrance=False)
    return CameraSpec(needed, clock)


class CameraProcess:
    """Everything but the reading: readers, slots that come back, the supervisor, health."""

    def __init__(self, control: socket.socket, spec: CameraSpec) -> None:
        self._control = ControlLine(control)
        self._spec = spec
        self._clock = HostClock(state=spec.clock)
        self._ring: LentRing | None = None
        self._capture: Capture | None = None
        self._told = ""
        self._loose_secret = ""

    def run(self) -> None:
        """Serve until told to stop or the supervisor is gone."""
        health_s = 0.0
        while not self._control.stopping:
            now_s = time.monotonic()
            if now_s - health_s >= HEALTH_EVERY_S:
                health_s = now_s
                self._tell_health()
            self._wait(health_s + HEALTH_EVERY_S - now_s)
        if self._capture is not None:
            self._capture.stop(JOIN_S)
            self._tell_health()
        if self._ring is not None:
            with self._ring.lock:
                self._ring.lender.close()

    def _wait(self, timeout_s: float) -> None:
        """Wait for the supervisor or a reader, and hear them."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        readers: dict[int, str] = {}
        if self._ring is not None:
            with self._ring.lock:
                readers = {sock.fileno(): name for name, sock in self._ring.lender.readers.items()}
        for fd in readers:
            poller.register(fd, select.POLLIN)
        for fd, _ in poller.poll(max(0.0, timeout_s) * 1e3):
            if fd == self._control.fileno():
                self._control.hear(self._obey)
            elif self._ring is not None:
                with self._ring.lock:
                    self._ring.lender.take_back(readers[fd])

    def _obey(self, message: Message, fds: tuple[int, ...]) -> bool:
        ring = self._ring
        match message:
            case Attach(role="ring") if len(fds) == 1 and ring is None:
                self._start(FrameRing.attach(fds[0], writable=True))
                return True
            case Attach(role="frames", name=name) if len(fds) == 1 and ring is not None:
                self._add_reader(ring, name, socket.socket(fileno=fds[0]))
                return True
            case Detach(role="frames", name=name) if ring is not None:
                with ring.lock:
                    ring.lender.remove_reader(name)
            case Configure() if len(fds) == 1:
                self._adopt(take_up(fds[0], CameraSpec))
                return True
        return False

    def _adopt(self, spec: CameraSpec) -> None:
        self._spec = spec
        if self._capture is not None:
            self._capture.analysis_fps = spec.camera.analysis_fps

    def _add_reader(self, ring: LentRing, name: str, sock: socket.socket) -> None:
        try:
            with ring.lock:
                ring.lender.add_reader(name, sock)
        except FrameError as error:
            log.warning("%s", error)

    def _start(self, ring: FrameRing) -> None:
        camera = self._spec.camera
        self._ring = LentRing(FrameLender(ring))
        self._capture = Capture(
            self._openers(),
            self._ring,
            HostClock(state=self._spec.clock),
            Backoff(random.Random()),
            camera.analysis_fps,
            camera.max_size,
        )
        self._capture.start()

    def _openers(self) -> Callable[[Callable[[float], None]], Source]:
        """What opens the camera: its main stream, or its substream while that does not play."""
        if self._spec.camera.substream is None:
            return partial(self._open, source_uri)
        return MainOrSubstream(partial(self._open, source_uri), partial(self._open, _substream_of)).open

    def _open(self, uri_of: Callable[[Camera], str], pause: Callable[[float], None]) -> Source:
        """Open a stream; the camera's password is read anew, so that a changed one is taken up.

        A password that others can read serves on, for no shop is to stop for it, and health says so.
        """
        self._judge_secret()
        try:
            uri = uri_of(self._spec.camera)
        except FrameError:
            raise
        except TagsightError as error:
            raise FrameError(str(error)) from error
        return open_source(uri, HostClock(state=self._spec.clock), pause, self._spec.camera.transport)

    def _judge_secret(self) -> None:
        file, found = self._spec.camera.password_file, ""
        if file is not None:
            with suppress(OSError):
                found = open_to_others(file, "password file")
        if found and found != self._loose_secret:
            log.warning("%s: %s", self._spec.camera.name, found)
        self._loose_secret = found

    def _tell_health(self) -> None:
        health = self._health()
        told = f"{health.state} {_PASSING.sub('', health.detail)}"
        if told != self._told:
            log.info("%s: %s %s", self._spec.camera.name, health.state, health.detail)
            self._told = told
        self._control.tell(health)

    def _health(self) -> Health:
        name, now_s = f"camera:{self._spec.camera.name}", self._clock.now()
        if self._capture is None or self._ring is None:
            return Health(name, SourceState.CONNECTING.value, now_s, now_s, "no ring yet")
        status = self._capture.status
        if not (self._control.stopping or self._capture.is_alive() or self._capture.finished):
            raise FrameError(f"{name}: the capture thread has died")
        state, detail = status.state.value, status.detail
        detail = "; ".join(told for told in (detail, self._loose_secret) if told)
        busy_s = 0.0 if status.busy_since_s is None else now_s - status.busy_since_s
        if busy_s > STALLED_AFTER_S:
            state, detail = SourceState.STALLED.value, f"a read has not come back for {busy_s:.0f} s"
        with self._ring.lock:
            drops = Counter(self._capture.drops) + self._ring.lender.drops
            free, readers = self._ring.lender.ledger.free, len(self._ring.lender.readers)
        values = {
            "fps": self._capture.rate(now_s),
            "source_fps": status.source_fps,
            "frames": float(self._capture.frames),
            "width": float(status.size[0]),
            "height": float(status.size[1]),
            "loop": float(status.loop),
            "slots_free": float(free),
            "readers": float(readers),
        }
        return Health(name, state, now_s, status.progress_s, detail, values, dict(drops))


def _substream_of(camera: Camera) -> str:
    return substream_uri(camera) or ""


def main(control: socket.socket, spec: CameraSpec) -> None:
    """Read the camera of `spec` into its ring until told to stop."""
    decoder.silence()
    decoder.use_one_thread()
    CameraProcess(control, spec).run()
