"""A source is taken in batch by batch, from where the warehouse last was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import EventStore, Line, lines_of

BATCH = 5000
"""Lines of a transaction: each refreshes every partition that it touches."""


def feed(
    warehouse: Warehouse,
    source: str,
    lines: Iterator[Line],
    batch: int = BATCH,
    told: Callable[[int], object] = lambda count: None,
) -> int:
    """Take in all lines; `told` hears how many after each batch. Returns how many."""
    total = 0
    while count := warehouse.take(source, islice(lines, batch)):
        total += count
        told(total)
    return total


def feed_file(warehouse: Warehouse, file: Path, batch: int = BATCH) -> int:
    """Take in a file, or what has been added to it since; the same lines again change nothing."""
    source = f"file:{file.resolve()}"
    done = warehouse.progress(source)
    return feed(warehouse, source, lines_of(file, done), batch)


def feed_store(warehouse: Warehouse, store: EventStore, batch: int = BATCH) -> int:
    """Take in what the consumer has stored since the last time."""
    source, total = f"events:{store.path.resolve()}", 0
    while lines := store.after(warehouse.progress(source), batch):
        total += warehouse.take(source, lines)
    return total
