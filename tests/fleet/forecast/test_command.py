"""`tagsight fleet forecast`, from events in a warehouse to rows in a Parquet file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from contract.envelope import encode_event
from contract.facts import Footfall
from fleet.cli import fleet
from fleet.embedded.warehouse import Warehouse
from fleet.forecast.files import footfall
from fleet.ingest.sources import Line
from tests.fleet.lines import ORIGIN

MIDNIGHT_S = 1_792_886_400.0
"""25 October 2026, 0:00 UTC."""
HOUR_S = 3600


def filled(path: Path, days: int, blind_hour: int | None = None, hours_of_last: int = 24) -> Path:
    """Ten persons an hour from 9 to 21, counted day and night; the last day may have fewer hours."""
    lines = []
    for hour in range(days * 24 - 24 + hours_of_last):
        start_s = MIDNIGHT_S + hour * HOUR_S
        entered = 10 if 9 <= hour % 24 < 21 else 0
        more: dict[str, Any] = {"quality": "blind"} if hour == blind_hour else {}
        fact = Footfall(
            key=f"footfall:door:{hour}",
            time_s=start_s + HOUR_S,
            entrance="door",
            start_s=start_s,
            end_s=start_s + HOUR_S,
            entered=0 if more else entered,
            left=0,
            **more,
        )
        lines.append(Line(hour + 1, encode_event(fact, ORIGIN, hour + 1, start_s, "stream"), start_s))
    warehouse = Warehouse(path)
    warehouse.take("test", lines)
    warehouse.close()
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(fleet, ["forecast", *map(str, arguments)])


def test_zeros_that_were_counted_stay_and_hours_without_sight_or_events_are_missing(tmp_path: Path) -> None:
    history = footfall(filled(tmp_path / "w.db", 3, blind_hour=10, hours_of_last=12))
    assert history.names == ("plaza/door",)
    assert (str(history.first_day), history.days) == ("2026-10-25", 2)
    assert history.counts[:24, 0].tolist()[:10] == [0] * 9 + [10]
    assert np.flatnonzero(np.isnan(history.counts[:, 0])).tolist() == [10]


def test_a_warehouse_gives_a_parquet_file_with_a_row_an_hour(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="the extra fleet is not installed")
    out = tmp_path / "it's.parquet"
    done = run("--db", filled(tmp_path / "w.db", 21), "--days", "9", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["rows"], told["begins"]) == (9 * 24, "2026-11-15")
    assert told["sentences"] == [
        "no entrance has 20 weeks of counts to learn from, so all have the median of 4 weeks"
    ]
    place = str(out).replace("'", "''")
    found = duckdb.sql(
        "SELECT site, entrance, CAST(local_day AS VARCHAR), local_hour, days_ahead, expected, low, high,"
        f" round(poisson_floor, 2) FROM '{place}' WHERE local_hour IN (3, 12) ORDER BY days_ahead, local_hour"
    ).fetchall()
    assert found[0][:8] == ("plaza", "door", "2026-11-15", 3, 1, 0.0, 0.0, 0.0)
    assert found[1] == ("plaza", "door", "2026-11-15", 12, 1, 10.0, 10.0, 10.0, 2.5)
    assert found[-1][2] == "2026-11-23"


def test_what_cannot_be_forecast_is_one_sentence_and_leaves_the_file_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_text("yesterday's")
    for db, why in (
        (tmp_path / "none.db", "no warehouse there"),
        (filled(tmp_path / "short.db", 5), "120 hours of counts in 5 days; 14 days are needed"),
    ):
        done = run("--db", db, "--out", out)
        assert done.exit_code == 1
        assert why in str(done.exception)
    Warehouse(tmp_path / "empty.db").close()
    assert "no footfall is in it" in str(run("--db", tmp_path / "empty.db", "--out", out).exception)
    assert out.read_text() == "yesterday's"
