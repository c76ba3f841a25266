"""The forecast of some days, from the Parquet file that `tagsight fleet forecast` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleet.errors import FleetError

QUERY = """SELECT local_day, local_hour, sum(expected) AS expected, sum(low) AS low, sum(high) AS high
FROM read_parquet(?) WHERE site = ? AND CAST(local_day AS VARCHAR) BETWEEN ? AND ?
GROUP BY ALL ORDER BY ALL"""


def coming(file: Path | None, site: str, first_day: str, last_day: str) -> Mapping[str, dict[int, Any]]:
    """Day -> hour -> `expected`, `low`, `high` persons through all entrances; empty where there is no file.

    The range of several entrances is the sum of theirs, which is wider than four of five. Raises FleetError
    for a file that cannot be read.
    """
    if file is None or not file.exists():
        return {}
    import duckdb

    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            rows = connection.execute(QUERY, [str(file), site, first_day, last_day]).fetchall()
    except duckdb.Error as error:
        raise FleetError(f"{file}: no forecast ({str(error).partition(chr(10))[0]})") from error
    found: dict[str, dict[int, Any]] = {}
    for day, hour, *values in rows:
        found.setdefault(str(day), {})[int(hour)] = dict(
            zip(("expected", "low", "high"), values, strict=True)
        )
    return found
