"""A source is taken in batch by batch, from where the warehouse last was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

from fleet.embedded import progress
from fleet.embedded.by_store import PILES, LinesByStore
from fleet.embedded.progress import Mark, mark_at
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import EventStore, FollowedFile, Line, mark_of

log = logging.getLogger(__name__)

BATCH = 5000
"""Lines of a transaction: each refreshes every partition that it touches."""
LINES_A_STORE, MOST_LINES = 200, 50_000
"""Of many stores more lines are taken in at a time, so that each day is made anew for many of them; not
for so many that live lines of another process wait long."""
MOST_WINDOW = 1_000_000
"""Where that is too few a store, so many lines at most are put in order by store before."""
ROOM_S = 0.12
"""SQLite lets one write at a time, and who waits looks again at most every 0.1 s: so long history lets live
lines go first after each batch."""


def feed(
    warehouse: Warehouse,
    source: str,
    lines: Iterator[Line],
    batch: int | None = None,
    told: Callable[[int], object] = lambda count: None,
    mark: Mark = "",
) -> int:
    """Take in all lines; `told` hears how many after each batch. Returns how many.

    Without `batch`, lines of a transaction are by how many stores there are; a long history of more
    stores than one transaction has room for is put in order by store.
    """
    total = 0

    def took(count: int) -> None:
        nonlocal total
        total += count
        told(total)

    if batch is None:
        lines = _begun_window(warehouse, source, lines, mark, took)
    while True:
        wanted = batch or max(BATCH, LINES_A_STORE * _stores(warehouse))
        some: Iterator[Line] = islice(lines, batch or min(wanted, MOST_LINES))
        if batch is None and wanted > MOST_LINES:
            head = list(islice(lines, BATCH))
            if len(head) == BATCH:
                window = islice(chain(head, lines), min(wanted, MOST_WINDOW))
                _take_window(warehouse, source, window, mark, took)
                continue
            some = iter(head)
        if not (count := warehouse.take(source, some, mark)):
            return total
        took(count)


def _begun_window(
    warehouse: Warehouse, source: str, lines: Iterator[Line], mark: Mark, took: Callable[[int], object]
) -> Iterator[Line]:
    """Take in what is missing of a window that was broken off; returns the lines after it."""
    found = progress.window_of(warehouse.db, source)
    if found is None:
        return lines
    last, noted = found
    if noted != mark_at(mark, last):
        progress.forget_window(warehouse.db, source)
        return lines
    after: list[Line] = []

    def within() -> Iterator[Line]:
        for line in lines:
            if line.position > last:
                after.append(line)
                return
            yield line

    _take_window(warehouse, source, within(), mark, took)
    return chain(after, lines)


def _take_window(
    warehouse: Warehouse, source: str, lines: Iterator[Line], mark: Mark, took: Callable[[int], object]
) -> None:
    """Each part has a progress of its own; that of the source goes on when all are in."""
    folder = None if warehouse.path == ":memory:" else Path(warehouse.path).parent
    with LinesByStore(folder) as window:
        window.put(lines)
        noted = mark_at(mark, window.last)
        for piles in window.parts(MOST_LINES):
            part = progress.part_of(source, window.last, f"{piles[0]} to {piles[-1]} of {PILES}")
            done = warehouse.progress(part)
            rest = (line for line in window.lines(piles) if line.position > done)
            while count := warehouse.take(part, islice(rest, MOST_LINES), noted):
                took(count)
        warehouse.close_window(source, window.last, noted)


def _stores(warehouse: Warehouse) -> int:
    (stores,) = warehouse.db.execute("SELECT count(*) FROM sites").fetchone()
    return int(stores)


def feed_file(
    warehouse: Warehouse,
    file: Path,
    batch: int | None = None,
    told: Callable[[int], object] = lambda count: None,
    followed: FollowedFile | None = None,
) -> int:
    """Take in a file, or what has been added to it since; another file in its place from its beginning."""
    source, mark = f"file:{file.resolve()}", mark_of(file)
    done = warehouse.progress(source) if warehouse.mark(source) == mark else 0
    return feed(warehouse, source, (followed or FollowedFile(file)).lines(done, mark), batch, told, mark)


def feed_store(warehouse: Warehouse, store: EventStore, batch: int | None = None) -> int:
    """Take in what the consumer has stored since the last time.

    Where its database was put back from a copy it is read from the beginning: what came changes nothing.
    """
    source = f"events:{store.path.resolve()}"
    done = warehouse.progress(source)
    if done and store.mark(done) != warehouse.mark(source):
        log.warning("%s is not what it was: it is read from the beginning", store.path)
        done = 0
    return feed(warehouse, source, _stored(store, done), batch, mark=store.mark)


def _stored(store: EventStore, done: int) -> Iterator[Line]:
    while lines := store.after(done, BATCH):
        yield from lines
        done = lines[-1].position
