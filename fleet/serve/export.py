"""The warehouse's tables as Parquet, as they are or as they were known at a moment."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from fleet.embedded.feeding import feed
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest.sources import EventStore, Line
from fleet.models.texts import tables
from fleet.serve.sql import opened

BATCH = 20_000
MEMORY_MB = 512


def export(warehouse: Path, folder: Path) -> list[Path]:
    """Write every table of a warehouse as a Parquet file; returns them. Raises FleetError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FleetError(f"{folder}: cannot be made ({error.strerror})") from error
    connection = opened(warehouse, MEMORY_MB)
    import duckdb

    files = [folder / f"{name}.parquet" for name in tables()]
    beside = folder / ".table.new"
    place = str(beside).replace("'", "''")
    try:
        with connection:
            for file in files:
                connection.execute(f"COPY (SELECT * FROM live.{file.stem}) TO '{place}' (FORMAT parquet)")
                beside.replace(file)
    except (duckdb.Error, OSError) as error:
        beside.unlink(missing_ok=True)
        why = str(error).partition("\n")[0]
        raise FleetError(f"{warehouse}: cannot be written to {folder} ({why})") from error
    return files


def export_as_known(events: Path, until_s: float, folder: Path) -> list[Path]:
    """The same, made anew from what a consumer's store had received by `until_s` (UTC seconds)."""
    store = EventStore(events)
    try:
        with tempfile.TemporaryDirectory(prefix="tagsight-fleet-") as scratch:
            file = Path(scratch) / "warehouse.db"
            warehouse = Warehouse(file)
            feed(warehouse, "as known", _until(store, until_s), BATCH)
            warehouse.close()
            return export(file, folder)
    finally:
        store.close()


def _until(store: EventStore, until_s: float) -> Iterator[Line]:
    position = 0
    while lines := store.after(position, BATCH):
        position = lines[-1].position
        yield from (line for line in lines if line.received_s is None or line.received_s <= until_s)
