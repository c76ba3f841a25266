"""The whole process of a network camera: reading, decoding, colour, the ring, a reader, the supervisor."""

from __future__ import annotations

import multiprocessing as mp
import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager

from runtime import messages
from runtime.clock import HostClock
from runtime.frames.ring.buffer import FrameRing
from runtime.frames.ring.lending import FrameConsumer
from runtime.messages import Attach, Stop
from runtime.processes import camera
from tagsight.errors import TagsightError

SLOTS = 6
UP_WITHIN_S, NEXT_WITHIN_S = 60.0, 20.0


def cost_ms(uri: str, size: tuple[int, int], fps: float, pictures: int, warm_up: int) -> float:
    """Milliseconds of CPU time a picture, each given back at once. Raises TagsightError."""
    with _running(uri, size, fps) as (pid, consumer):
        begun_s = 0.0
        for number in range(warm_up + pictures):
            if number == warm_up:
                begun_s = _taken_s(pid)
            _take_one(consumer, UP_WITHIN_S if number == 0 else NEXT_WITHIN_S)
        return (_taken_s(pid) - begun_s) / pictures * 1e3


def _take_one(consumer: FrameConsumer, within_s: float) -> None:
    until_s = time.monotonic() + within_s
    while (ready := consumer.receive()) is None:
        left_s = until_s - time.monotonic()
        if left_s <= 0 or not select.select([consumer.sock], [], [], left_s)[0]:
            raise TagsightError(f"a camera process gave no picture within {within_s:.0f} s")
    consumer.give_back(ready)


def _taken_s(pid: int) -> float:
    """CPU time of another process so far (clock_getcpuclockid)."""
    return time.clock_gettime(~pid << 3 | 2)


@contextmanager
def _running(uri: str, size: tuple[int, int], fps: float) -> Iterator[tuple[int, FrameConsumer]]:
    spec = camera.CameraSpec(
        "bench", uri, analysis_fps=fps, max_size=size, slots=SLOTS, clock=HostClock().state
    )
    control, theirs = messages.pair()
    frames, lent = messages.pair()
    ring = FrameRing.create(SLOTS, *size)
    process = mp.get_context("spawn").Process(target=camera.main, args=(theirs, spec), daemon=True)
    process.start()
    theirs.close()
    messages.send(control, Attach("ring", "ring"), (ring.fd,))
    messages.send(control, Attach("frames", "vision"), (lent.fileno(),))
    lent.close()
    consumer = FrameConsumer(FrameRing.attach(os.dup(ring.fd)), frames)
    assert process.pid is not None
    try:
        yield process.pid, consumer
    finally:
        messages.send(control, Stop())
        process.join(5.0)
        if process.is_alive():
            process.kill()
        consumer.close()
        ring.close()
        control.close()
