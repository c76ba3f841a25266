"""The load test: lines are made, taken in by a process of its own, and all compared with the oracle."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from fleet.embedded.feeding import feed
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest.sources import lines_of
from fleet.load import arrivals, oracle
from fleet.load.compare import differing


class LoadResult(msgspec.Struct, frozen=True):
    """What a load test found. `answers` tables were compared, row by row."""

    events: int
    events_per_cpu_s: float
    answers: int
    differing_rows: int
    peak_mb: float
    rows: int
    revised_share: float
    counters: dict[str, int]
    differing: dict[str, int]
    slowest_batch_s: float
    warehouse_mb: float


class Taken(msgspec.Struct, frozen=True):
    """What the process that took the lines in says of itself."""

    cpu_s: float
    peak_mb: float
    slowest_batch_s: float


def run_on(lines: Path, folder: Path) -> LoadResult:
    """The same with events of real boxes, which are left as they are."""
    return _compared(lines, sum(1 for _ in lines.open("rb")), folder, True, None)


def run(
    folder: Path,
    *,
    stores: int,
    days: int,
    seed: int,
    shuffled: bool = False,
    highest_holds: bool = True,
    visitors: int = arrivals.VISITORS,
    batch: int | None = None,
) -> LoadResult:
    """Make, take in, compare; the files stay in `folder`. Raises FleetError where taking in fails."""
    lines = folder / "lines.jsonl"
    events = arrivals.write(lines, stores=stores, days=days, seed=seed, visitors=visitors, shuffled=shuffled)
    return _compared(lines, events, folder, highest_holds, batch)


def _compared(lines: Path, events: int, folder: Path, highest_holds: bool, batch: int | None) -> LoadResult:
    db = folder / "warehouse.db"
    taken = take_in(lines, db, highest_holds, batch)
    expected = oracle.answers(lines)
    warehouse = Warehouse(db)
    found = differing(warehouse.db, expected)
    counters = warehouse.counters()
    warehouse.close()
    return LoadResult(
        events=events,
        events_per_cpu_s=round(events / taken.cpu_s, 1),
        answers=len(expected),
        differing_rows=sum(found.values()),
        peak_mb=taken.peak_mb,
        rows=sum(len(rows) for rows in expected.values()),
        revised_share=_revised_share(lines),
        counters=counters,
        differing={name: count for name, count in found.items() if count},
        slowest_batch_s=taken.slowest_batch_s,
        warehouse_mb=round(db.stat().st_size / 2**20, 1),
    )


def take_in(lines: Path, db: Path, highest_holds: bool = True, batch: int | None = None) -> Taken:
    """By a process whose memory is its own: what made the lines is not in it. Raises FleetError."""
    command = [
        sys.executable,
        "-m",
        "fleet.load.run",
        str(lines),
        str(db),
        str(int(highest_holds)),
        str(batch or 0),
    ]
    done = subprocess.run(  # noqa: S603 (this interpreter, this module)
        command, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise FleetError(f"{db}: the process that takes the lines in has ended with {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Taken)


def _take_in(lines: Path, db: Path, highest_holds: bool, batch: int | None) -> Taken:
    begin_s = time.process_time()
    warehouse = Warehouse(db, highest_holds=highest_holds)
    ends_s = [time.monotonic()]
    done = warehouse.progress(str(lines))
    feed(warehouse, str(lines), lines_of(lines, done), batch, lambda _: ends_s.append(time.monotonic()))
    warehouse.close()
    slowest_s = max((after - before for before, after in pairwise(ends_s)), default=0.0)
    return Taken(time.process_time() - begin_s, _peak_mb(), round(slowest_s, 3))


def _peak_mb() -> float:
    """The most memory that this process ever had, from the kernel's own account of it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def _revised_share(lines: Path) -> float:
    """How many of the lines are revisions or withdrawals."""
    revised = total = 0
    with lines.open("rb") as file:
        for line in file:
            total += 1
            try:
                fact = json.loads(line)
            except ValueError:
                continue
            revised += bool(fact.get("rev", 0) or fact.get("retracted", False))
    return round(revised / max(1, total), 4)


def main(arguments: Sequence[str]) -> None:
    """The process: lines, warehouse, 1 where the highest revision holds, lines a batch or 0."""
    lines, db, highest_holds, batch = arguments
    found = _take_in(Path(lines), Path(db), highest_holds == "1", int(batch) or None)
    sys.stdout.write(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
