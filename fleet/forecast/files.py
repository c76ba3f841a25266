"""From a warehouse to a panel, and from a forecast to a Parquet file."""

from __future__ import annotations

import csv
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from fleet.errors import FleetError
from fleet.forecast.floor import mean_deviation
from fleet.forecast.run import Forecast
from fleet.forecast.series import DAY, Panel, without_outages

COUNTED = """SELECT site, entrance, local_day, local_hour, entered, intervals, blind_intervals
FROM dws_footfall_hour ORDER BY site, entrance"""
COLUMNS = "site, entrance, local_day, local_hour, days_ahead, expected, low, high, poisson_floor, model"
"""`low` to `high` holds in 80 % of hours; `poisson_floor` persons is what a perfect forecast is off."""


def footfall(warehouse: Path) -> Panel:
    """Persons who came in, by entrance (`SITE/ENTRANCE`) and hour, up to the last day that any shop ended.

    Hours without a footfall event, and those in which the cameras were blind all the time, are missing.
    Raises FleetError for what is no warehouse, and where it has no footfall.
    """
    if not warehouse.exists():
        raise FleetError(f"{warehouse}: no warehouse there; tagsight fleet backfill makes one")
    try:
        with closing(sqlite3.connect(f"file:{warehouse}?mode=ro", uri=True, timeout=10.0)) as db:
            rows = db.execute(COUNTED).fetchall()
    except sqlite3.Error as error:
        raise FleetError(f"{warehouse}: cannot be read as a warehouse ({error})") from error
    rows = [row for row in rows if row[2]]
    if not rows:
        raise FleetError(f"{warehouse}: no footfall is in it, so there is nothing to forecast from")
    names = tuple(sorted({f"{row[0]}/{row[1]}" for row in rows}))
    column = {name: number for number, name in enumerate(names)}
    first, last = (np.datetime64(each(row[2] for row in rows), "D") for each in (min, max))
    counts = np.full((int((last - first).astype(int) + 1) * DAY, len(names)), np.nan)
    for site, entrance, day, hour, entered, intervals, blind in rows:
        if blind < intervals:
            at = int((np.datetime64(day, "D") - first).astype(int)) * DAY + hour
            counts[at, column[f"{site}/{entrance}"]] = entered
    last_hour = max(row[3] for row in rows)
    if np.isnan(counts[last_hour - DAY]).all():
        counts = counts[:-DAY]
    return Panel(names, first, without_outages(counts))


def write(found: Forecast, history: Panel, file: Path) -> int:
    """Write the forecast as Parquet, in place of what was there; returns how many rows. Raises FleetError."""
    try:
        import duckdb
    except ImportError as error:
        raise FleetError("Parquet needs DuckDB; pip install 'tagsight[fleet]'") from error
    beside = file.with_name(f"{file.name}.part")
    try:
        with tempfile.TemporaryDirectory(prefix="tagsight-forecast-") as scratch:
            table = Path(scratch) / "rows.csv"
            with table.open("w", newline="") as out:
                written = 0
                into = csv.writer(out)
                into.writerow(COLUMNS.split(", "))
                for row in _rows(found, history):
                    into.writerow(row)
                    written += 1
            kinds = "{'site': 'VARCHAR', 'entrance': 'VARCHAR', 'model': 'VARCHAR'}"
            with duckdb.connect(config={"threads": 1}) as connection:
                read = f"SELECT * FROM read_csv({_quoted(table)}, header = true, types = {kinds})"
                connection.execute(f"COPY ({read}) TO {_quoted(beside)} (FORMAT parquet)")
        beside.replace(file)
    except (OSError, duckdb.Error) as error:
        beside.unlink(missing_ok=True)
        raise FleetError(f"{file}: cannot be written ({str(error).partition(chr(10))[0]})") from error
    return written


def _rows(found: Forecast, history: Panel) -> Iterator[tuple[Any, ...]]:
    begin = history.first_day + history.days
    for part in found.parts:
        floor = np.where(part.expected > 0, mean_deviation(part.expected), part.expected)
        for number, column in enumerate(part.columns):
            site, _, entrance = history.names[column].partition("/")
            for hour, values in enumerate(
                zip(*(one[:, number] for one in (part.expected, part.low, part.high, floor)), strict=True)
            ):
                day = hour // DAY
                rounded = [None if np.isnan(value) else round(float(value), 3) for value in values]
                yield (site, entrance, str(begin + day), hour % DAY, day + 1, *rounded, part.model)


def _quoted(file: Path) -> str:
    return "'" + str(file).replace("'", "''") + "'"
