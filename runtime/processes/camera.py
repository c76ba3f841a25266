"""The camera process: one source into one ring of frames.

The ring comes with `Attach("ring", …)`, each reader's socket with `Attach("frames", READER)`. Reading has a
thread of its own (`runtime.frames.capture.thread`), which takes slots back when it wants one; this one
answers the supervisor, says every second how the source is, and lets readers go that are gone.
"""

from __future__ import annotations

import logging
import os
import random
import re
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

from runtime.clock import HostClock
from runtime.config import Camera, StoreConfig, open_to_others
from runtime.config.cameras import source_uri, substream_uri
from runtime.frames.capture.thread import Capture
from runtime.frames.errors import FrameError
from runtime.frames.files import playback
from runtime.frames.hardware import csi
from runtime.frames.live import motion_jpeg, streams
from runtime.frames.live.substream import MainOrSubstream
from runtime.frames.opening import open_source
from runtime.frames.ring.buffer import FrameRing
from runtime.frames.ring.lending import FrameLender, LeasedRing
from runtime.frames.sources import Source
from runtime.frames.video import opencv
from runtime.messages import Health, HealthState
from runtime.processes.service import Service
from runtime.processes.spec import Spec
from tagsight.backoff import Backoff
from tagsight.errors import TagsightError

SOURCES = (csi, playback, streams, motion_jpeg)
"""Imported here, and so in the fork server, for every camera to share."""

SLOTS = 6
STALLED_AFTER_S = 15.0
"""A call into the source that takes longer has hung: its own time limits are far below."""
JOIN_S = 0.4

_PASSING = re.compile(r"; next try in [\d.]+ s|[\d.]+")
"""What may change in a detail without its being worth another line in the log."""

log = logging.getLogger(__name__)


class CameraSpec(Spec, frozen=True):
    """What a camera process needs to know, by the keys of the camera's section."""

    LIVE = frozenset({"analysis_fps"})

    name: str
    uri: str
    substream: str | None = None
    transport: Literal["auto", "tcp", "udp"] = "auto"
    username: str | None = None
    password_file: Path | None = None
    analysis_fps: float = 10.0
    max_size: tuple[int, int] = (1920, 1080)
    """Width and height of the largest frame the ring takes."""
    slots: int = SLOTS

    @classmethod
    def of(cls, camera: Camera, clock: tuple[float, float], slots: int = SLOTS) -> CameraSpec:
        """From a camera's section."""
        return cls(
            camera.name,
            camera.uri,
            camera.substream,
            camera.transport,
            camera.username,
            camera.password_file,
            camera.analysis_fps,
            camera.max_size,
            slots,
            clock=clock,
        )


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> CameraSpec:
    """The spec of the camera called `name`."""
    return CameraSpec.of(next(camera for camera in config.cameras if camera.name == name), clock)


class CameraProcess(Service):
    """Everything but the reading: the ring's readers, the supervisor, health."""

    def __init__(self, control: socket.socket, spec: CameraSpec) -> None:
        super().__init__(control, f"camera:{spec.name}", spec)
        self._spec = spec
        self._ring: LeasedRing | None = None
        self._capture: Capture | None = None
        self._logged = ""
        self._loose_secret = ""
        self.configured_by(CameraSpec, self._apply_config)
        self.accept("ring", 1, self._start)
        self.accept("frames", 1, self._add_reader, self._remove_reader)
        self.accept("frames on request", 1, partial(self._add_reader, on_request=True), self._remove_reader)

    def finish(self) -> None:
        """Stop reading, report, and let the ring's readers go."""
        if self._capture is not None:
            self._capture.stop(JOIN_S)
            self.report()
        if self._ring is not None:
            with self._ring.lock:
                self._ring.lender.close()

    def _apply_config(self, spec: CameraSpec) -> None:
        self._spec = spec
        if self._capture is not None:
            self._capture.analysis_fps = spec.analysis_fps

    def _add_reader(self, name: str, fd: int, on_request: bool = False) -> None:
        sock = socket.socket(fileno=fd)
        if self._ring is None:
            log.warning("%s wants frames of a camera that has no ring yet", name)
            sock.close()
            return
        try:
            with self._ring.lock:
                self._ring.lender.add_reader(name, sock, on_request=on_request)
        except FrameError as error:
            log.warning("%s", error)

    def _remove_reader(self, name: str) -> None:
        if self._ring is not None:
            with self._ring.lock:
                self._ring.lender.remove_reader(name)

    def _start(self, _: str, ring_fd: int) -> None:
        if self._ring is not None:
            log.warning("a second ring was not expected")
            os.close(ring_fd)
            return
        self._ring = LeasedRing(FrameLender(FrameRing.attach(ring_fd, writable=True)))
        self._capture = Capture(
            self._openers(),
            self._ring,
            HostClock(state=self._spec.clock),
            Backoff(random.Random()),
            self._spec.analysis_fps,
            self._spec.max_size,
        )
        self._capture.start()

    def _openers(self) -> Callable[[Callable[[float], None]], Source]:
        """What opens the camera: its main stream, or its substream while that does not play."""
        if self._spec.substream is None:
            return partial(self._open, source_uri)
        return MainOrSubstream(partial(self._open, source_uri), partial(self._open, _substream_of)).open

    def _open(self, uri_of: Callable[[CameraSpec], str], pause: Callable[[float], None]) -> Source:
        """Open a stream; the camera's password is read anew, so that a changed one is taken up.

        A password that others can read serves on, for no shop is to stop for it, and health says so.
        """
        self._check_secret()
        try:
            uri = uri_of(self._spec)
        except FrameError:
            raise
        except TagsightError as error:
            raise FrameError(str(error)) from error
        return open_source(uri, HostClock(state=self._spec.clock), pause, self._spec.transport)

    def _check_secret(self) -> None:
        file, found = self._spec.password_file, ""
        if file is not None:
            with suppress(OSError):
                found = open_to_others(file, "password file")
        if found and found != self._loose_secret:
            log.warning("%s: %s", self._spec.name, found)
        self._loose_secret = found

    def report(self) -> None:
        """Report health, and log it where it is another."""
        health = self.health()
        shown = f"{health.state} {_PASSING.sub('', health.detail)}"
        if shown != self._logged:
            log.info("%s: %s %s", self._spec.name, health.state, health.detail)
            self._logged = shown
        self.control.report(health)

    def health(self) -> Health:
        """How the source is. Raises FrameError where the reading thread has died."""
        name, now_s = self.name, self.clock.now()
        if self._capture is None or self._ring is None:
            return Health(name, HealthState.CONNECTING, now_s, now_s, "no ring yet")
        status = self._capture.status
        if not (self.control.stopping or self._capture.is_alive() or self._capture.finished):
            raise FrameError(f"{name}: the capture thread has died")
        state, detail = HealthState(status.state.value), status.detail
        detail = "; ".join(filter(None, (detail, self._loose_secret)))
        busy_s = 0.0 if status.busy_since_s is None else now_s - status.busy_since_s
        if busy_s > STALLED_AFTER_S:
            state, detail = HealthState.STALLED, f"a read has not come back for {busy_s:.0f} s"
        with self._ring.lock:
            self._ring.lender.take_back_all()
            drops = Counter(self._capture.drops) + self._ring.lender.drops
            free, readers = self._ring.lender.ledger.free, len(self._ring.lender.constant_readers)
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


def _substream_of(camera: CameraSpec) -> str:
    return substream_uri(camera) or ""


def main(control: socket.socket, spec: CameraSpec) -> None:
    """Read the camera of `spec` into its ring until told to stop."""
    opencv.silence()
    opencv.use_one_thread()
    CameraProcess(control, spec).run()
