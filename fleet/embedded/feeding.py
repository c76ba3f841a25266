"""A source is taken in batch by batch, from where the warehouse last was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import EventStore, Line, lines_of, mark_of

log = logging.getLogger(__name__)

BATCH = 5000
"""Lines of a transaction: each refreshes every partition that it touches."""
LINES_A_STORE, MOST_LINES = 100, 50_000
"""Of many stores more lines are taken in at a time, so that each day is made anew for many of them; not
for so many that live lines of another process wait long."""
ROOM_S = 0.12
"""SQLite lets one write at a time, and who waits looks again at most every 0.1 s: so long history lets live
lines go first after each batch."""


def feed(
    warehouse: Warehouse,
    source: str,
    lines: Iterator[Line],
    batch: int | None = None,
    told: Callable[[int], object] = lambda count: None,
    mark: str = "",
) -> int:
    """Take in all lines; `told` hears how many after each batch. Returns how many.

    Without `batch`, lines of a transaction are by how many stores there are.
    """
    total = 0
    while count := warehouse.take(source, islice(lines, batch or _by_stores(warehouse)), mark):
        total += count
        told(total)
    return total


def _by_stores(warehouse: Warehouse) -> int:
    (stores,) = warehouse.db.execute("SELECT count(*) FROM sites").fetchone()
    return max(BATCH, min(LINES_A_STORE * int(stores), MOST_LINES))


def feed_file(
    warehouse: Warehouse,
    file: Path,
    batch: int | None = None,
    told: Callable[[int], object] = lambda count: None,
) -> int:
    """Take in a file, or what has been added to it since; another file in its place from its beginning."""
    source, mark = f"file:{file.resolve()}", mark_of(file)
    done = warehouse.progress(source) if warehouse.mark(source) == mark else 0
    return feed(warehouse, source, lines_of(file, done), batch, told, mark)


def feed_store(warehouse: Warehouse, store: EventStore, batch: int = BATCH) -> int:
    """Take in what the consumer has stored since the last time.

    Where its database was put back from a copy it is read from the beginning: what came changes nothing.
    """
    source, total = f"events:{store.path.resolve()}", 0
    done = warehouse.progress(source)
    if done and store.mark(done) != warehouse.mark(source):
        log.warning("%s is not what it was: it is read from the beginning", store.path)
        done = 0
    while lines := store.after(done, batch):
        done = lines[-1].position
        total += warehouse.take(source, lines, store.mark(done))
    return total
