"""What is made anew is what has changed, and nothing beside it is read for that."""

from __future__ import annotations

import json
import sqlite3

import pytest

from contract.shop import FixturePlace
from fleet.embedded import schema
from fleet.embedded.partitions import query_of
from fleet.models.texts import tables
from tests.fleet.lines import NOON_S, ORIGIN, dwell, event, setup, taken

BY_DAY = [name for name, model in tables().items() if model.is_by_day]


@pytest.mark.parametrize(
    ("name", "where"),
    [(name, "site IN (?, ?)") for name in tables()]
    + [(name, "site IN (?, ?) AND local_day IN (?)") for name in BY_DAY],
)
def test_no_partition_reads_all_stores_and_days(name: str, where: str) -> None:
    db = sqlite3.connect(":memory:")
    schema.create(db)
    query, times = query_of(name, where)
    plan = db.execute(f"EXPLAIN QUERY PLAN {query}", ["a"] * where.count("?") * times).fetchall()
    kept = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    scans = [step for *_, step in plan if step.startswith("SCAN") and step.split()[1] in kept]
    assert plan and scans == []


def test_a_stock_list_that_moves_nothing_makes_no_day_anew() -> None:
    racks = (FixturePlace("rack 1", "rack", ((0.0, 0.0),), "left"),)
    stock = {"kind": "stock", "site": ORIGIN.site, "key": "shirt", "sku": "SHIRT", "fixture": "rack 1"}
    warehouse = taken(
        [event(setup(fixtures=racks)), json.dumps(stock).encode()]
        + [event(dwell("v", "left", NOON_S - back * 86_400), back + 2) for back in range(3)]
    )
    made: list[str] = []
    warehouse.db.set_trace_callback(lambda text: made.append(text) if text.startswith("DELETE") else None)
    taken([json.dumps(stock | {"rev": 1, "quantity": 7}).encode()], warehouse)
    assert [text.split()[2] for text in made] == ["dim_sku_zone", "refused"]
    taken([json.dumps(stock | {"rev": 2, "fixture": "rack 2"}).encode()], warehouse)
    assert {"dws_sku_view_day", "ads_funnel_day"} <= {text.split()[2] for text in made}
