"""The vision process: frames of all cameras in, persons on the floor out.

A camera's ring and socket come with `Attach("camera", NAME)`, the store's socket with
`Attach("records", "store")`. `runtime.vision.batching` says which frames to take; each is looked at in place
in its ring (`runtime.processes.sight`) and given back, its people are tracked (`runtime.processes.watched`)
and told to the store. With a GPU the next batch is on its way while this one's people are tracked.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable

import cv2

from engines.backends.cpu import available_threads
from engines.catalogue.judging import LIMIT_S
from engines.errors import EngineError
from engines.inference.detector import PersonDetector
from runtime.clock import HostClock
from runtime.config import Engines
from runtime.frames.errors import FrameError
from runtime.frames.lending import FrameBorrower
from runtime.frames.ring import FrameRing
from runtime.messages import Attach, Configure, Detach, Health, Message, PeerGone
from runtime.processes.control import ControlLine
from runtime.processes.handover import take_up
from runtime.processes.outbound import RecordSender
from runtime.processes.sight import Sight, Ticket, choose_sight
from runtime.processes.vision_spec import VisionSpec, plan_of, spec_of
from runtime.processes.watched import Lent, WatchedCamera, first_track_id
from runtime.processes.workload import Workload
from runtime.vision.batching import BatchPolicy
from runtime.vision.glance import Seen
from runtime.vision.onlooker import NOBODY, Onlooker, onlooker_for
from runtime.vision.overload import OverloadWatch, Share
from runtime.vision.track import TrackerSettings

HEALTH_EVERY_S = 1.0
SILENT_S = 2.0
"""Without a frame for this long the process says that it waits."""
MAX_STREAMS = 4

log = logging.getLogger(__name__)

__all__ = ["VisionProcess", "VisionSpec", "main", "spec_of"]


class VisionProcess:
    """Serves the cameras that are attached, until told to stop."""

    def __init__(
        self,
        control: socket.socket,
        spec: VisionSpec,
        choose: Callable[[Engines, PersonDetector, Onlooker], Sight] = choose_sight,
    ) -> None:
        self._control = ControlLine(control)
        self._plans = {camera.name: camera for camera in spec.cameras}
        self._engines = spec.engines
        self._clock = HostClock(state=spec.clock)
        self._policy = BatchPolicy()
        self._cameras: dict[str, WatchedCamera] = {}
        self._first_ids = {name: first_track_id(self._clock.now()) for name in self._plans}
        self._store = RecordSender()
        self._drops: Counter[str] = Counter()
        self._refused = 0
        self._progress_s = self._clock.now()
        self._workload = Workload(time.monotonic())
        self._overload = OverloadWatch()
        self._choose_sight = choose
        self._sight: Sight | None = None
        self._onlooker = NOBODY
        self._sizes: set[tuple[int, int]] = set()
        self._under_way: deque[tuple[Ticket, float]] = deque()

    def run(self) -> None:
        """Compile the network, then serve."""
        self._control.tell(self._health("starting", f"compiling {self._engines.detector}"))
        detector = self._open()
        self._sight = sight = self._choose_sight(self._engines, detector, self._onlooker)
        log.info("persons are detected by %s", sight.way)
        try:
            self._serve(sight)
        except EngineError as error:
            log.error("%s", error)
            self._control.tell(self._health("engine failed", str(error)))
            raise SystemExit(1) from error
        finally:
            with contextlib.suppress(EngineError):
                sight.close()

    def _serve(self, sight: Sight) -> None:
        while not self._control.stopping:
            now_s = time.monotonic()
            if now_s - self._workload.told_s >= HEALTH_EVERY_S:
                self._tell(now_s)
            self._wait(now_s)
            self._work(sight)
            self._store.flush()
        for name in tuple(self._cameras):
            self._let_go(name)
        self._store.flush()
        self._tell(time.monotonic())

    def _open(self) -> PersonDetector:
        wanted = self._engines
        threads = wanted.threads or available_threads()
        cv2.setNumThreads(1)
        try:
            self._onlooker = onlooker_for(wanted, threads)
            return PersonDetector.open(
                wanted.detector,
                input_size=wanted.input_size,
                backend=wanted.backend,
                threads=threads,
                streams=max(1, min(len(self._plans), threads, MAX_STREAMS)),
                score=wanted.score,
                on_judging=self._tell_of_judging,
            )
        except EngineError as error:
            log.error("%s", error)
            self._control.tell(self._health("no engine", str(error)))
            raise SystemExit(1) from error

    def _tell_of_judging(self, took_s: float) -> None:
        """Trying a file that nobody has judged yet may take longer than a process may be silent."""
        what = f"judging {self._engines.detector}: trying on a picture whether and how it finds persons"
        if took_s < 1.0:
            log.info("%s", what)
        self._control.tell(self._health("starting", f"{what}; {took_s:.0f} s, of {LIMIT_S:.0f} s at most"))

    def _wait(self, now_s: float) -> None:
        """Wait for the supervisor, a camera, or the time to take a batch, and hear who spoke."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        speakers = {camera.borrower.sock.fileno(): name for name, camera in self._cameras.items()}
        for fd in speakers:
            poller.register(fd, select.POLLIN)
        store = self._store.blocked_on
        if store is not None:
            poller.register(store, select.POLLOUT)
        gather_s = self._policy.wait_s(now_s)
        health_s = max(0.0, self._workload.told_s + HEALTH_EVERY_S - now_s)
        timeout_s = health_s if gather_s is None else min(gather_s, health_s)
        if self._under_way:
            timeout_s = 0.0
        for fd, _ in poller.poll(timeout_s * 1e3):
            if fd == self._control.fileno():
                self._control.hear(self._obey)
            elif fd in speakers and speakers[fd] in self._cameras:
                self._hear_camera(speakers[fd])

    def _obey(self, message: Message, fds: tuple[int, ...]) -> bool:
        match message:
            case Attach(role="camera", name=name) if len(fds) == 2 and name in self._plans:
                self._watch(name, fds[0], fds[1])
                return True
            case Attach(role="records") if len(fds) == 1:
                self._store.attach(socket.socket(fileno=fds[0]))
                return True
            case Detach(role="camera", name=name):
                self._let_go(name)
            case Detach(role="records"):
                self._store.detach()
            case Configure() if len(fds) == 1:
                self._adopt(take_up(fds[0], VisionSpec))
                return True
        return False

    def _adopt(self, spec: VisionSpec) -> None:
        """Go on with other cameras, floors under their pictures, rates and least score."""
        before = self._plans
        self._plans = {camera.name: camera for camera in spec.cameras}
        for name in before.keys() - self._plans.keys():
            self._let_go(name)
        for name, camera in self._plans.items():
            self._first_ids.setdefault(name, first_track_id(self._clock.now()))
            watched = self._cameras.get(name)
            if watched is not None and camera != before.get(name):
                watched.describe(camera)
                self._policy.add(plan_of(camera), time.monotonic())
        self._engines = spec.engines
        if self._sight is not None:
            self._finish_all(self._sight)
            self._sight.require(spec.engines.score)

    def _watch(self, name: str, ring_fd: int, socket_fd: int) -> None:
        self._let_go(name)
        sight, sock = self._sight, socket.socket(fileno=socket_fd)
        assert sight is not None
        try:
            ring = FrameRing.attach(ring_fd, writable=sight.maps_writable)
            borrower = FrameBorrower(ring, sock)
            sight.watch(name, ring)
        except FrameError as error:
            log.error("camera %s: %s", name, error)
            sock.close()
            return
        self._cameras[name] = WatchedCamera(self._plans[name], borrower, self._first_ids[name])
        self._policy.add(plan_of(self._plans[name]), time.monotonic())

    def _let_go(self, name: str) -> None:
        if self._sight is not None and name in self._cameras:
            self._finish_all(self._sight)
        camera = self._cameras.pop(name, None)
        if camera is None:
            return
        self._policy.remove(name, time.monotonic())
        if self._sight is not None:
            self._sight.forget(name)
        self._refused += camera.refused
        farewell = camera.close()
        self._first_ids[name] = camera.first_id
        if farewell is not None:
            self._store.put(farewell)

    def _hear_camera(self, name: str) -> None:
        camera, now_s = self._cameras[name], time.monotonic()
        try:
            for ready in camera.borrower.waiting():
                if (passed_over := camera.heard(ready)) > 0:
                    self._policy.passed_over(name, passed_over, now_s)
                if not self._policy.is_due(name, now_s):
                    camera.borrower.give_back(ready)
                    self._drops["rate lowered"] += 1
                    continue
                if camera.hold(ready):
                    self._drops["overtaken by a newer frame"] += 1
                self._policy.offer(name, now_s)
        except (PeerGone, FrameError) as error:
            log.warning("camera %s is gone: %s", name, str(error) or "its process ended")
            self._let_go(name)

    def _work(self, sight: Sight) -> None:
        """Start what is due; then, unless the sight has room for more of it, finish the oldest."""
        names = self._policy.take(time.monotonic())
        if names:
            start_s = time.monotonic()
            frames = [self._cameras[name].take() for name in names]
            self._announce(frames)
            self._under_way.append((sight.start(frames), start_s))
        if self._under_way and not (names and sight.has_room):
            self._finish(sight)

    def _announce(self, frames: list[Lent]) -> None:
        """Say that a network may be compiled for pictures of a new size: it takes longer than silence may."""
        headers = [frame.header for frame in frames]
        sizes = {(header.width, header.height) for header in headers} - self._sizes
        if sizes:
            self._sizes |= sizes
            told = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
            self._control.tell(self._health("starting", f"getting ready for pictures of {told}"))

    def _finish_all(self, sight: Sight) -> None:
        while self._under_way:
            self._finish(sight)

    def _finish(self, sight: Sight) -> None:
        """Wait for the oldest ticket, track, give its frames back, and tell the store."""
        ticket, start_s = self._under_way.popleft()
        found = sight.finish(ticket)
        gone = [
            frame.camera
            for frame, seen in zip(ticket.frames, found, strict=True)
            if not self._track(frame.camera, seen)
        ]
        end_s = time.monotonic()
        busy_s = self._workload.finished(len(found), start_s, end_s)
        self._progress_s = self._clock.now()
        self._policy.finished(len(found), busy_s, end_s)
        for name in gone:
            self._let_go(name)

    def _track(self, name: str, seen: Seen) -> bool:
        """Whether the camera is still there to take its frame back."""
        camera = self._cameras[name]
        records = camera.follow(seen, self._clock.now(), self._onlooker)
        self._policy.saw(name, len(records[-1].persons), time.monotonic())
        for record in records:
            self._store.put(record)
        try:
            camera.give_back()
        except PeerGone:
            return False
        return True

    def _tell(self, now_s: float) -> None:
        elapsed_s, values = self._workload.told(now_s)
        shares: dict[str, Share] = {}
        for name, rate_fps in self._policy.rates_fps.items():
            camera = self._cameras[name]
            brought_fps, got_fps = self._policy.delivered_fps(name, now_s), camera.count() / elapsed_s
            if brought_fps is not None:
                shares[name] = Share(got_fps, min(brought_fps, self._plans[name].analysis_fps))
            values[f"{name}_fps"] = got_fps
            values[f"{name}_delivered_fps"] = brought_fps or 0.0
            values[f"{name}_allowed_fps"] = rate_fps
            values[f"{name}_latency_ms"] = camera.latency_s * 1e3
        said = self._overload.observe(now_s, elapsed_s, shares)
        if said is not None:
            log.warning("%s", said)
        silent = self._clock.now() - self._progress_s > SILENT_S
        detail = self._overload.sentence if self._cameras else "no camera yet"
        health = self._health("waiting" if silent or not self._cameras else "live", detail)
        health.values.update(values)
        self._control.tell(health)

    def _health(self, state: str, detail: str) -> Health:
        drops = dict(self._drops)
        if self._control.unheard:
            drops["health the supervisor did not take"] = self._control.unheard
        if refused := self._refused + sum(camera.refused for camera in self._cameras.values()):
            drops[f"people beyond {TrackerSettings().max_tracks} before one camera"] = refused
        if self._store.dropped:
            drops["records the store did not take"] = self._store.dropped
        now_s = self._clock.now()
        progress_s = self._progress_s if state == "live" else now_s
        return Health("vision", state, now_s, progress_s, detail, {}, drops)


def main(control: socket.socket, spec: VisionSpec) -> None:
    """Watch the cameras of `spec` until told to stop."""
    VisionProcess(control, spec).run()
