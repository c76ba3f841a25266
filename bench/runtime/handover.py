"""A frame handed to another process by the ring and by the usual ways: both processes of `ring`."""

from __future__ import annotations

import multiprocessing as mp
import multiprocessing.queues
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from runtime import messages
from runtime.frames.errors import FrameError
from runtime.frames.ring.buffer import FrameHeader, FrameRing, Image
from runtime.frames.ring.lending import FrameConsumer, FrameLender

METHODS = ("ring", "pipe", "queue", "shm")
PICTURES = 4
PAUSE_S = 0.002
TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Channels:
    """One side's ends of everything between the two processes."""

    orders: Connection
    pipe: Connection
    token: Connection
    queue: multiprocessing.queues.Queue[tuple[int, float, Image]]
    frames: socket.socket
    shared_name: str


@dataclass
class Times:
    """Seconds per frame by one method."""

    read_s: list[float] = field(default_factory=list)
    handover_s: list[float] = field(default_factory=list)
    pass_s: list[float] = field(default_factory=list)


def pictures(width: int, height: int) -> list[Image]:
    """The frames that are handed over; both sides make the same."""
    rng = np.random.default_rng(20180)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(PICTURES)]


def write_frames(channels: Channels, width: int, height: int) -> None:
    """The writer process: hands over by the method it is told, until told None."""
    images = pictures(width, height)
    ring = FrameRing.create(4, width, height)
    lender = FrameLender(ring)
    messages.send(channels.frames, messages.Attach("camera", "bench"), (ring.fd,))
    lender.add_reader("bench", channels.frames)
    shared = SharedMemory(channels.shared_name)
    shared_frame: Image = np.ndarray((height, width, 3), np.uint8, shared.buf)
    while (order := channels.orders.recv()) is not None:
        method, sequence = order
        image = images[sequence % PICTURES]
        time.sleep(PAUSE_S)
        started_s = time.monotonic()
        if method == "ring":
            lender.take_back("bench")
            slot = lender.ledger.take()
            if slot is None:
                raise FrameError("the reader of the benchmark kept every slot")
            header = FrameHeader(sequence, started_s, started_s, width, height)
            ring.write(slot, image, header)
            lender.lend(slot, header)
        elif method == "pipe":
            channels.pipe.send((sequence, started_s, image))
        elif method == "queue":
            channels.queue.put((sequence, started_s, image))
        else:
            np.copyto(shared_frame, image)
            channels.token.send((sequence, started_s))
    del shared_frame
    shared.close()


class FrameReader:
    """The reader's side: one call a frame, timed."""

    def __init__(self, channels: Channels, shared: SharedMemory, width: int, height: int) -> None:
        _, fds = messages.receive(channels.frames)
        self._consumer = FrameConsumer(FrameRing.attach(fds[0]), channels.frames)
        self._channels = channels
        self._shared_frame: Image = np.ndarray((height, width, 3), np.uint8, shared.buf)
        self._sums = [_sum(image) for image in pictures(width, height)]
        self._waits = {
            method: _poller(fd)
            for method, fd in (
                ("ring", channels.frames.fileno()),
                ("pipe", channels.pipe.fileno()),
                ("queue", channels.queue._reader.fileno()),  # type: ignore[attr-defined]
                ("shm", channels.token.fileno()),
            )
        }

    def take(self, method: str, sequence: int, times: Times) -> None:
        """Have one frame handed over and note its times. Raises FrameError where it is not the right one."""
        self._channels.orders.send((method, sequence))
        if not self._waits[method].poll(TIMEOUT_S * 1000):
            raise FrameError(f"the writer sent no frame by {method} for {TIMEOUT_S:g} s")
        ready = None
        there_s = time.monotonic()
        if method == "ring":
            ready = self._consumer.receive()
            if ready is None:
                raise FrameError("the ring's socket had no message")
            image = self._consumer.frame(ready)
            in_hand_s = time.monotonic()
            got, started_s = ready.sequence, ready.time_s
        elif method == "pipe":
            got, started_s, image = self._channels.pipe.recv()
            in_hand_s = time.monotonic()
        elif method == "queue":
            got, started_s, image = self._channels.queue.get()
            in_hand_s = time.monotonic()
        else:
            got, started_s = self._channels.token.recv()
            image = self._shared_frame.copy()
            in_hand_s = time.monotonic()
        total = _sum(image)
        summed_s = time.monotonic()
        if got != sequence or total != self._sums[sequence % PICTURES]:
            raise FrameError(f"{method} handed over frame {got} instead of {sequence}, or spoiled it")
        times.read_s.append(in_hand_s - there_s)
        times.handover_s.append(in_hand_s - started_s)
        times.pass_s.append(summed_s - in_hand_s)
        if ready is not None:
            self._consumer.give_back(ready)

    def close(self) -> None:
        """Stop the writer and let go of the memory."""
        self._channels.orders.send(None)
        self._consumer.close()
        del self._shared_frame


def _sum(image: Image) -> int:
    return int(image.reshape(-1).view(np.uint64).sum())


def _poller(fd: int) -> select.poll:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return poller


@contextmanager
def open_reader(width: int, height: int) -> Iterator[FrameReader]:
    """A writer process and the reader it hands frames to. Raises FrameError."""
    context = mp.get_context("spawn")
    orders, their_orders = context.Pipe()
    pipe, their_pipe = context.Pipe(duplex=False)
    token, their_token = context.Pipe(duplex=False)
    queue: multiprocessing.queues.Queue[tuple[int, float, Image]] = context.Queue()
    frames, their_frames = messages.pair()
    shared = SharedMemory(create=True, size=width * height * 3)
    theirs = Channels(their_orders, their_pipe, their_token, queue, their_frames, shared.name)
    writer = context.Process(target=write_frames, args=(theirs, width, height), daemon=True)
    try:
        writer.start()
        for end in (their_orders, their_pipe, their_token, their_frames):
            end.close()
        reader = FrameReader(Channels(orders, pipe, token, queue, frames, shared.name), shared, width, height)
        yield reader
        reader.close()
        writer.join(TIMEOUT_S)
    finally:
        if writer.is_alive():
            writer.kill()
        shared.close()
        shared.unlink()
