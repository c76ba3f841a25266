"""The frame ring against the usual ways of handing a frame to another process.

How it is timed. A second process (spawned, nothing inherited) hands over one BGR frame at a time: it waits
for a go, pauses 2 ms so that the reader surely waits, notes the time and hands over. In one run, and in turn,
by every method:

    ring     copied into a slot; a FrameReady message moves the ownership; the reader looks in place
    pipe     multiprocessing.Pipe: the array is pickled, sent and unpickled
    queue    multiprocessing.Queue: the same behind a feeder thread
    shm      named multiprocessing.shared_memory and a token through a Pipe; the reader copies the frame out,
             since the writer will overwrite it

"read" is the reader's side: from the moment poll(2) says that there is a frame (or its first bytes) until an
array of the right shape is in hand. "hand-over" is from the writer's note to the array in hand; it includes
the writer's copy, though a decoder can fill a slot in place. "pass" is one sum over all pixels afterwards,
which also checks the contents: an array that was never copied is colder in the cache, so it is shown. Ratios
are of medians against the ring's.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import multiprocessing.queues
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from runtime import messages
from runtime.frames.errors import FrameError
from runtime.frames.lending import FrameBorrower, FrameLender
from runtime.frames.ring import FrameHeader, FrameRing, Image

METHODS = ("ring", "pipe", "queue", "shm")
PICTURES = 4
PAUSE_S = 0.002
BLOCK = 20
WARM_UP = 3
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


class Spread(msgspec.Struct, frozen=True):
    """Milliseconds: median, and the tenth and ninetieth percentile."""

    median_ms: float
    p10_ms: float
    p90_ms: float


class MethodReport(msgspec.Struct, frozen=True):
    """One method; the ratios say how many times the ring's median it takes."""

    read: Spread
    handover: Spread
    one_pass: Spread
    read_ratio: float
    handover_ratio: float


class RingReport(msgspec.Struct, frozen=True):
    """The whole run."""

    width: int
    height: int
    rounds: int
    load_average: float
    """When the run began: on a busy machine the methods that need the writer's help suffer most."""
    methods: dict[str, MethodReport]


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


class Reader:
    """The reader's side: one call a frame, timed."""

    def __init__(self, channels: Channels, shared: SharedMemory, width: int, height: int) -> None:
        _, fds = messages.receive(channels.frames)
        self._borrower = FrameBorrower(FrameRing.attach(fds[0]), channels.frames)
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
            ready = self._borrower.receive()
            if ready is None:
                raise FrameError("the ring's socket had no message")
            image = self._borrower.frame(ready)
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
            self._borrower.give_back(ready)

    def close(self) -> None:
        """Stop the writer and let go of the memory."""
        self._channels.orders.send(None)
        self._borrower.close()
        del self._shared_frame


def _sum(image: Image) -> int:
    return int(image.reshape(-1).view(np.uint64).sum())


def _poller(fd: int) -> select.poll:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return poller


@contextmanager
def _reader(width: int, height: int) -> Iterator[Reader]:
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
        reader = Reader(Channels(orders, pipe, token, queue, frames, shared.name), shared, width, height)
        yield reader
        reader.close()
        writer.join(TIMEOUT_S)
    finally:
        if writer.is_alive():
            writer.kill()
        shared.close()
        shared.unlink()


def measure(width: int, height: int, rounds: int) -> RingReport:
    """Hand over `rounds` frames by every method, in blocks that take turns. Raises FrameError."""
    if width * height * 3 % 8:
        raise FrameError(
            f"{width} x {height} pixels do not make whole 8-byte words; choose a width divisible by 8"
        )
    times = {method: Times() for method in METHODS}
    load_average = os.getloadavg()[0]
    sequence = 0
    with _reader(width, height) as reader:
        for first in range(0, rounds + WARM_UP, BLOCK):
            for method in METHODS:
                for turn in range(first, min(first + BLOCK, rounds + WARM_UP)):
                    sequence += 1
                    reader.take(method, sequence, times[method] if turn >= WARM_UP else Times())
    return _report(width, height, rounds, load_average, times)


def _report(width: int, height: int, rounds: int, load_average: float, times: dict[str, Times]) -> RingReport:
    ring_read = float(np.median(times["ring"].read_s))
    ring_handover = float(np.median(times["ring"].handover_s))
    methods = {
        method: MethodReport(
            _spread(taken.read_s),
            _spread(taken.handover_s),
            _spread(taken.pass_s),
            float(np.median(taken.read_s)) / ring_read,
            float(np.median(taken.handover_s)) / ring_handover,
        )
        for method, taken in times.items()
    }
    return RingReport(width, height, rounds, load_average, methods)


def _spread(seconds: list[float]) -> Spread:
    p10, median, p90 = (float(value) * 1e3 for value in np.percentile(seconds, (10, 50, 90)))
    return Spread(median, p10, p90)


def _table(report: RingReport) -> Table:
    table = Table(title=f"One {report.width} x {report.height} BGR frame, {report.rounds} times each")
    table.add_column("method")
    for column in ("read, ms", "x ring", "hand-over, ms", "x ring", "pass, ms"):
        table.add_column(column, justify="right")
    for name, method in report.methods.items():
        table.add_row(
            name,
            _cell(method.read),
            f"{method.read_ratio:,.0f}",
            _cell(method.handover),
            f"{method.handover_ratio:.1f}",
            _cell(method.one_pass),
        )
    table.caption = (
        f"median (p10 to p90), {os.cpu_count()} cores, load average {report.load_average:.1f}; "
        "how it is timed: the docstring of bench/ring.py"
    )
    return table


def _cell(spread: Spread) -> str:
    return f"{spread.median_ms:.4g} ({spread.p10_ms:.3g} to {spread.p90_ms:.3g})"


@click.command()
@click.option(
    "--width", default=1920, show_default=True, type=click.IntRange(8, 8192), help="Frame width, pixels."
)
@click.option(
    "--height", default=1080, show_default=True, type=click.IntRange(8, 8192), help="Frame height, pixels."
)
@click.option(
    "--rounds", default=200, show_default=True, type=click.IntRange(1, 10_000), help="Frames per method."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def ring(width: int, height: int, rounds: int, as_json: bool) -> None:
    """Read a frame from the ring, a pipe, a queue and named shared memory.

    \b
    Example:
      tagsight bench ring --rounds 200
    """
    report = measure(width, height, rounds)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(report), indent=2))
    else:
        Console(width=110).print(_table(report))
