"""What is made anew is what has changed, and nothing beside it is read for that."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator

import msgspec
import pytest

from contract.facts import Fact
from contract.shop import FixturePlace
from fleet.embedded import schema
from fleet.embedded.partitions import query_of
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import Line
from fleet.models.texts import tables
from tests.fleet.lines import (
    NOON_S,
    ORIGIN,
    dwell,
    event,
    flip,
    footfall,
    interaction,
    sale,
    setup,
    taken,
    tryon,
)

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


HOURS = (-49, -26, -13, -11.5, -10.4, 0, 10, 11.9, 12.2, 13, 25, 40)
"""From noon of the day on which summer time ends: about midnights of all zones below, and days apart."""
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland")
SKUS, PLACES = ("SHIRT", "COAT"), ("left", "right")


def told_at_random(chance: random.Random) -> Iterator[bytes]:
    """Revisions that move facts to other days, take them back, and say another zone or another plan."""
    for seq in range(1, 121):
        start_s, rev, key = NOON_S + 3600 * chance.choice(HOURS), chance.randrange(4), chance.randrange(4)
        sku, said = chance.choice(SKUS), {"rev": rev, "retracted": chance.random() < 0.1}
        racks = tuple(
            FixturePlace(name, "rack", ((0.0, 0.0),), chance.choice(PLACES)) for name in ("rack 1", "rack 2")
        )
        facts: list[Fact] = [
            msgspec.structs.replace(footfall(key, start_s), key=f"f{key}"),
            msgspec.structs.replace(dwell(f"v{key}", chance.choice(PLACES), start_s), key=f"d{key}"),
            flip(start_s, key=f"flip{key}", sku=sku),
            msgspec.structs.replace(tryon(start_s), key=f"t{key}", start_s=start_s - 200),
            msgspec.structs.replace(interaction("v", start_s), key=f"i{key}", flip=f"flip{key}"),
            setup(chance.choice(ZONES), NOON_S - 86_400 * (1 + key), fixtures=racks),
        ]
        stock = {"kind": "stock", "site": ORIGIN.site, "key": f"st{key}", "sku": sku, "fixture": "rack 1"}
        lines = [event(msgspec.structs.replace(fact, **said), seq) for fact in facts]
        yield chance.choice(
            [*lines, sale(start_s, key=f"s{key}", rev=rev, sku=sku), json.dumps(stock).encode()]
        )


@pytest.mark.parametrize("seed", range(6))
def test_after_any_batches_each_table_is_what_its_query_says_of_everything(seed: int) -> None:
    chance, warehouse = random.Random(seed), Warehouse(":memory:")
    lines = [Line(at, body, NOON_S) for at, body in enumerate(told_at_random(chance), 1)]
    while lines:
        size = chance.choice((1, 2, 7, 30))
        warehouse.take("test", lines[:size])
        del lines[:size]
    filled = set()
    for name in tables():
        kept, whole = (
            sorted(map(repr, warehouse.db.execute(f"SELECT * FROM {table}"))) for table in (name, f"v_{name}")
        )
        assert kept == whole, name
        filled |= {name} if kept else set()
    assert {"ads_funnel_day", "ads_tryon_end", "dws_match_day", "dws_footfall_hour"} <= filled
    warehouse.close()
