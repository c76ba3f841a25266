"""What is known of single visitors goes after some days; sums stay, and nothing brings those days back."""

from __future__ import annotations

import json
from pathlib import Path

from contract.shop import FixturePlace
from fleet.embedded.warehouse import Warehouse

from .lines import NOON_S, ORIGIN, dwell, event, footfall, interaction, rows, setup, taken, tryon

DAY_S = 86_400
SUMS = ("dws_dwell_zone_day", "dws_match_day", "ads_funnel_day", "dws_footfall_hour", "ads_tryon_end")
RACK = (FixturePlace("rack 1", "rack", ((0.0, 0.0),), "racks"),)
STOCK = {"kind": "stock", "site": ORIGIN.site, "key": "s", "sku": "SHIRT", "fixture": "rack 1"}


def of_two_days() -> Warehouse:
    old, new = NOON_S, NOON_S + 5 * DAY_S
    return taken(
        [
            event(setup("Asia/Kolkata", fixtures=RACK)),
            json.dumps(STOCK).encode(),
            event(dwell("old-visitor"), 2),
            event(interaction("old-visitor"), 3),
            event(tryon(visitor="old-visitor"), 4),
            event(footfall(3), 5),
            event(dwell("new-visitor", start_s=new), 6),
            event(dwell("newer-visitor", start_s=new + old - old), 7),
        ]
    )


def sums(warehouse: Warehouse) -> list[object]:
    return [rows(warehouse, f"SELECT * FROM {name} WHERE local_day < '2026-10-28'") for name in SUMS]


def test_old_visitors_are_gone_from_every_table_and_the_sums_of_their_days_stay() -> None:
    warehouse = of_two_days()
    before = sums(warehouse)
    assert warehouse.erase(NOON_S + 5 * DAY_S, visitor_days=3) == 3
    assert "old-visitor" not in "\n".join(warehouse.db.iterdump())
    assert "new-visitor" in "\n".join(warehouse.db.iterdump())
    assert sums(warehouse) == before and before[0]
    assert warehouse.erase(NOON_S + 5 * DAY_S, visitor_days=3) == 0


def test_neither_late_facts_nor_another_layout_or_time_zone_undo_it() -> None:
    warehouse = of_two_days()
    warehouse.erase(NOON_S + 5 * DAY_S, visitor_days=3)
    before = sums(warehouse)
    late = [
        event(dwell("old-visitor"), 20),
        event(footfall(8, rev=1), 21),
        event(footfall(8, start_s=NOON_S + 5 * DAY_S, rev=2), 22),
        json.dumps(STOCK | {"rev": 1, "retracted": True}).encode(),
        event(setup("America/New_York", NOON_S + DAY_S), 23),
    ]
    taken(late, warehouse)
    assert sums(warehouse) == before
    assert warehouse.counters()["after_erasure"] == 3
    moved = rows(warehouse, "SELECT DISTINCT local_hour FROM ods_dwell WHERE local_day > '2026-10-28'")
    assert moved == [(8,)], "days that are not closed follow"


def test_it_is_remembered(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.db")
    taken([event(dwell("old-visitor"))], warehouse)
    warehouse.erase(NOON_S + 5 * DAY_S, visitor_days=3)
    warehouse.close()
    again = taken([event(dwell("old-visitor", "other"), 9)], Warehouse(tmp_path / "w.db"))
    assert again.counters()["after_erasure"] == 1 and rows(again, "SELECT * FROM ods_dwell") == []
    again.close()
    assert b"old-visitor" not in (tmp_path / "w.db").read_bytes()


def test_rows_of_all_facts_go_after_a_longer_time_and_sums_stay() -> None:
    warehouse = of_two_days()
    before = sums(warehouse)
    warehouse.erase(NOON_S + 5 * DAY_S, visitor_days=1, fact_days=3)
    left = {
        name: len(rows(warehouse, f"SELECT * FROM ods_{name}")) for name in ("footfall", "tryon", "dwell")
    }
    assert left == {"footfall": 0, "tryon": 0, "dwell": 2}
    assert len(rows(warehouse, "SELECT * FROM ods_store")) == 1, "the layout is no fact of a day"
    taken([event(footfall(9, rev=4), 30)], warehouse)
    assert sums(warehouse) == before and warehouse.counters()["after_erasure"] == 1
