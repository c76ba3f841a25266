"""A real camera process, started and attached as the supervisor does it."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from types import TracebackType

from runtime import messages
from runtime.clock import HostClock
from runtime.config import Camera
from runtime.frames.ring.buffer import FrameRing, create_ring
from runtime.frames.ring.lending import FrameConsumer
from runtime.messages import Attach, FrameReady, Health, Stop
from runtime.processes.camera import CameraSpec, main

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["runtime.processes.camera"])


class CameraUnderTest:
    """Use as `with CameraUnderTest(Camera(...)) as door`; `reader()` attaches one more reader."""

    def __init__(self, camera: Camera, slots: int = 6) -> None:
        self.camera = camera
        self.slots = slots
        self.healths: list[Health] = []
        self._readers: list[FrameConsumer] = []

    def __enter__(self) -> CameraUnderTest:
        self.control, theirs = messages.pair()
        self.process = context.Process(
            target=main, args=(theirs, CameraSpec.of(self.camera, HostClock().state, self.slots))
        )
        self.process.start()
        theirs.close()
        self.control.setblocking(False)
        self.ring_fd = create_ring(self.slots, *self.camera.max_size)
        messages.send(self.control, Attach("ring", self.camera.name), (self.ring_fd,))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join(5)
        for reader in self._readers:
            reader.close()
        self.control.close()
        os.close(self.ring_fd)

    def reader(self, name: str = "vision") -> FrameConsumer:
        camera_end, reader_end = messages.pair()
        messages.send(self.control, Attach("frames", name), (camera_end.fileno(),))
        camera_end.close()
        self._readers.append(FrameConsumer(FrameRing.attach(os.dup(self.ring_fd)), reader_end))
        return self._readers[-1]

    def listen(self) -> Health | None:
        """The last thing the process said of itself."""
        try:
            while True:
                message, _ = messages.receive(self.control)
                assert isinstance(message, Health)
                self.healths.append(message)
        except (BlockingIOError, messages.PeerGone):
            return self.healths[-1] if self.healths else None

    def wait_for(
        self,
        wanted: Callable[[Health], bool],
        within_s: float = 10.0,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Health:
        """Wait for a health that is as wanted; fails with all that was said."""
        seen = 0
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            self.listen()
            for health in self.healths[seen:]:
                if wanted(health):
                    return health
            seen = len(self.healths)
            meanwhile()
            time.sleep(0.02)
        told = "\n".join(f"{health.state}: {health.detail}" for health in self.healths)
        raise AssertionError(f"not said within {within_s} s; said:\n{told}")

    def wait_for_state(self, state: str, within_s: float = 10.0) -> Health:
        return self.wait_for(lambda health: health.state == state, within_s)

    def stop(self) -> float:
        """Ask the process to end; seconds until it has."""
        asked_s = time.monotonic()
        messages.send(self.control, Stop())
        self.process.join(10)
        return time.monotonic() - asked_s


def collect(reader: FrameConsumer, count: int, within_s: float = 10.0) -> list[FrameReady]:
    """The next `count` frames, each given back at once."""
    found: list[FrameReady] = []
    deadline_s = time.monotonic() + within_s
    while len(found) < count:
        assert time.monotonic() < deadline_s, f"{len(found)} of {count} frames came within {within_s} s"
        for ready in reader.waiting():
            found.append(ready)
            reader.give_back(ready)
        time.sleep(0.005)
    return found
