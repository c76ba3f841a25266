"""What the warehouse says of shops: how much time is spent in them, and how many of their visitors buy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from fleet.errors import FleetError

DAYS = 28
"""The last so many local days of each shop."""
HEAT = "SELECT site, SUM(person_s) FROM dws_heat_hour WHERE local_day > ? GROUP BY site"
VISITORS = "SELECT site, SUM(visitors) FROM dws_visitor_day WHERE local_day > ? GROUP BY site"
RECEIPTS = (
    """SELECT site, COUNT(DISTINCT CAST(time_s AS INTEGER)) FROM dwd_sale WHERE local_day > ? GROUP BY site"""
)
"""What was paid for in one second at one shop is one receipt."""
LAST = """SELECT date(max(local_day), ?) FROM
  (SELECT local_day FROM dws_heat_hour UNION ALL SELECT local_day FROM dws_visitor_day)"""


class ShopFigures(NamedTuple):
    """NaN where nothing is known."""

    heat_person_s: float
    conversion: float


NOTHING = ShopFigures(float("nan"), float("nan"))


def shops(warehouse: Path) -> dict[str, ShopFigures]:
    """By site. Raises FleetError for what is no warehouse."""
    if not warehouse.exists():
        raise FleetError(f"{warehouse}: no warehouse there; tagsight fleet backfill makes one")
    try:
        with closing(sqlite3.connect(f"file:{warehouse}?mode=ro", uri=True, timeout=10.0)) as db:
            (last,) = db.execute(LAST, (f"-{DAYS} day",)).fetchone()
            heat, visitors, receipts = (
                dict(db.execute(query, (last or "",)).fetchall()) for query in (HEAT, VISITORS, RECEIPTS)
            )
    except sqlite3.Error as error:
        raise FleetError(f"{warehouse}: cannot be read as a warehouse ({error})") from error
    found = {}
    for site in {*heat, *visitors}:
        came = visitors.get(site)
        conversion = min(1.0, receipts.get(site, 0) / came) if came else float("nan")
        found[site] = ShopFigures(float(heat.get(site, float("nan"))), conversion)
    return found
