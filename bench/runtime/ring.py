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
import os

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.runtime.handover import METHODS, Times, open_reader
from runtime.frames.errors import FrameError

BLOCK = 20
WARM_UP = 3


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


def measure(width: int, height: int, rounds: int) -> RingReport:
    """Hand over `rounds` frames by every method, in blocks that take turns. Raises FrameError."""
    if width * height * 3 % 8:
        raise FrameError(
            f"{width} x {height} pixels do not make whole 8-byte words; choose a width divisible by 8"
        )
    times = {method: Times() for method in METHODS}
    load_average = os.getloadavg()[0]
    sequence = 0
    with open_reader(width, height) as reader:
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
        "how it is timed: the docstring of bench/runtime/ring.py"
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
