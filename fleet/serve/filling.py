"""The thread that fills the warehouse: sources, what is handed in, retention, the replica."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from contract.errors import UNREADABLE
from fleet.embedded.feeding import feed_file, feed_store
from fleet.embedded.replica import copy
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest.records import RECORD_TYPES, Record
from fleet.ingest.sources import EventStore, FollowedFile
from fleet.serve.settings import FleetSettings

log = logging.getLogger(__name__)

RETENTION_EVERY_S = 3600.0
UNFORESEEN = "unforeseen"
HANDED_IN = "records.jsonl"
"""Beside the warehouse: what was handed in over HTTP, on disk before it is answered for."""
MOST_RECORDS = 10_000
_records = msgspec.json.Decoder(list[RECORD_TYPES[0] | RECORD_TYPES[1] | RECORD_TYPES[2]])  # type: ignore[valid-type]


class Filler:
    """One a warehouse; `run` in a thread until `stopping` is set. `wake` makes it look at once."""

    def __init__(self, settings: FleetSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._handed_in = settings.warehouse.with_name(HANDED_IN)
        self._lock = threading.Lock()
        self._stores: dict[Path, EventStore] = {}
        self._followed: dict[Path, FollowedFile] = {}
        self._retention_due_s = self._replica_due_s = 0.0
        self.faults: dict[str, str] = {}
        """What does not go, in words, by what it is of."""
        self.looked_s = 0.0
        self.taken = 0
        self.stopping = threading.Event()
        self.wake = threading.Event()

    def hand_in(self, body: bytes) -> int:
        """Put records on disk, to be taken in next; returns how many. Raises FleetError for what is none."""
        try:
            records: Sequence[Record] = _records.decode(body)
        except UNREADABLE as error:
            raise FleetError(f"an array of records is wanted, see tagsight fleet schema: {error}") from error
        if len(records) > MOST_RECORDS:
            raise FleetError(f"{len(records)} records at once; hand in at most {MOST_RECORDS}")
        lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
        try:
            with self._lock, self._handed_in.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise FleetError(f"{self._handed_in}: cannot be written ({error.strerror})") from error
        self.wake.set()
        return len(records)

    def run(self) -> None:
        """Look at every source again and again; what does not go is told and tried again.

        So is what nobody foresaw: a thread that ended by it would leave old figures and a health of `ok`.
        """
        warehouse = Warehouse(self._settings.warehouse)
        try:
            while not self.stopping.is_set():
                try:
                    self.turn(warehouse)
                    self.faults.pop(UNFORESEEN, None)
                except Exception as error:  # it is logged whole, and health says it
                    if UNFORESEEN not in self.faults:
                        log.exception("the sources cannot be taken in; it is tried again")
                    self.faults[UNFORESEEN] = f"{type(error).__name__}: {error}"
                self.wake.wait(self._settings.refresh_s)
                self.wake.clear()
        finally:
            for store in self._stores.values():
                store.close()
            warehouse.close()

    def turn(self, warehouse: Warehouse) -> None:
        """Take in what is new, erase what is old, copy."""
        for path in self._settings.events:
            self.taken += self._try(str(path), partial(self._feed_store, warehouse, path))
        files = [*self._settings.files, *([self._handed_in] if self._handed_in.exists() else [])]
        for path in files:
            self.taken += self._try(str(path), partial(self._feed_file, warehouse, path))
        now_s = time.monotonic()
        retention, replica = self._settings.retention, self._settings.replica
        if retention is not None and now_s >= self._retention_due_s:
            self._retention_due_s = now_s + RETENTION_EVERY_S
            days = retention.visitor_days, retention.fact_days
            self._try("retention", partial(warehouse.erase, self._clock(), *days))
        if replica is not None and now_s >= self._replica_due_s:
            self._replica_due_s = now_s + replica.every_s
            self._try(str(replica.file), partial(copy, warehouse.db, replica.file))
        self.looked_s = self._clock()

    def _feed_file(self, warehouse: Warehouse, path: Path) -> int:
        followed = self._followed.setdefault(path, FollowedFile(path))
        return feed_file(warehouse, path, followed=followed)

    def _feed_store(self, warehouse: Warehouse, path: Path) -> int:
        if path not in self._stores:
            self._stores[path] = EventStore(path)
        return feed_store(warehouse, self._stores[path])

    def _try(self, what: str, do: Callable[[], int | None]) -> int:
        """What does not go is told once, and tried again at the next turn."""
        try:
            count = do() or 0
        except FleetError as error:
            if self.faults.get(what) != str(error):
                log.warning("%s", error)
            self.faults[what] = str(error)
            store = self._stores.pop(Path(what), None)
            if store is not None:
                store.close()
            return 0
        self.faults.pop(what, None)
        return count


def in_background(filler: Filler) -> threading.Thread:
    """Run it in a thread."""
    thread = threading.Thread(target=filler.run, name="filler", daemon=True)
    thread.start()
    return thread
