"""What an event costs by how many shops share one warehouse, their days arriving at the same time."""

from __future__ import annotations

import heapq
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.fleet.parts import insert_plainly
from fleet.errors import FleetError
from fleet.load import arrivals
from fleet.load.run import take_in

CHUNK = 250
"""Shops are made up so many at a time: all lines of 5,000 would be gigabytes of memory."""
DOTS_PER_INCH = 80


class ChainCost(msgspec.Struct, frozen=True):
    """What one number of shops cost; `ratio` is to plain inserts of the same lines by their key."""

    stores: int
    events: int
    cpu_us_an_event: float
    plain_us_an_event: float
    ratio: float
    peak_mb: float
    slowest_batch_s: float
    bytes_an_event: float


def measure(stores: int, visitors: int, seed: int = 1, batch: int | None = None) -> ChainCost:
    """One day of so many shops, in order of arrival, taken in by a process of its own."""
    with tempfile.TemporaryDirectory(prefix="tagsight-sizes-") as name:
        folder = Path(name)
        lines, db = folder / "lines.jsonl", folder / "w.db"
        events = _write(folder, lines, stores, visitors, seed)
        taken = take_in(lines, db, batch=batch)
        size = db.stat().st_size
        db.unlink()
        began_s = time.process_time()
        insert_plainly(lines, folder / "plain.db")
        plain_s = time.process_time() - began_s
        return ChainCost(
            stores,
            events,
            round(1e6 * taken.cpu_s / events, 1),
            round(1e6 * plain_s / events, 1),
            round(taken.cpu_s / plain_s, 2),
            taken.peak_mb,
            taken.slowest_batch_s,
            round(size / events, 1),
        )


def _write(folder: Path, lines: Path, stores: int, visitors: int, seed: int) -> int:
    """Shops in chunks of files, merged by when each line came."""
    parts = []
    for chunk, first in enumerate(range(0, stores, CHUNK)):
        part = folder / f"part-{chunk}"
        count = min(CHUNK, stores - first)
        arrivals.write(part, stores=count, days=1, seed=seed + chunk, visitors=visitors, copies=False)
        parts.append(part)
    events = 0
    with lines.open("wb") as out:
        for _, line in heapq.merge(*(_stamped(part, chunk) for chunk, part in enumerate(parts))):
            out.write(line)
            events += 1
    for part in parts:
        part.unlink()
    return events


def _stamped(part: Path, chunk: int) -> Iterator[tuple[float, bytes]]:
    """Lines with their moment, the shops under names of this chunk."""
    with part.open("rb") as file:
        for line in file:
            received_s = float(line.partition(b":")[2].partition(b",")[0])
            yield received_s, line.replace(b'"site":"s', b'"site":"c%ds' % chunk, 1)


def draw(sizes: Sequence[ChainCost], out: Path) -> None:
    """The picture. Raises FleetError where matplotlib is missing."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise FleetError("drawing needs matplotlib: pip install 'tagsight[train]'") from error
    mpl.use("agg")
    from matplotlib import pyplot

    figure, (cost, memory) = pyplot.subplots(2, 1, sharex=True, figsize=(8.0, 5.5), layout="constrained")
    stores = [one.stores for one in sizes]
    cost.plot(stores, [one.cpu_us_an_event for one in sizes], "o-", color="#0f766e", label="the warehouse")
    cost.plot(stores, [one.plain_us_an_event for one in sizes], "o-", color="#9ca3af", label="plain inserts")
    cost.legend()
    cost.set_ylabel("CPU an event, µs")
    memory.plot(stores, [one.peak_mb for one in sizes], "o-", color="#0f766e")
    memory.set_ylabel("memory, MB")
    memory.set_xlabel("shops in one warehouse")
    memory.set_xscale("log")
    memory.set_xticks(stores, [f"{one:,}".replace(",", " ") for one in stores])
    memory.minorticks_off()
    for axis in (cost, memory):
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    figure.savefig(out, dpi=DOTS_PER_INCH)
