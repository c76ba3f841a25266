"""Rows of single visitors go after some days; the sums of those days stay as they were."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from fleet.embedded.partitions import shifted
from fleet.ingest.columns import KINDS, LISTS

PERSONAL = ("visit", "dwell", "interaction")
"""Kinds whose facts are of one visitor each."""


def erase(db: sqlite3.Connection, now_s: float, visitor_days: int, fact_days: int | None = None) -> int:
    """Erase what is older than so many local days of its store; returns how many rows went.

    The days are closed by that: nothing of them is taken in or made anew any more (`erased`). So the rows of
    all other facts may go as well, after `fact_days`. Within a transaction of the caller's.
    """
    count = 0
    if fact_days is not None:
        count += _forget_facts(db, now_s, max(fact_days, visitor_days))
    zones = dict(db.execute("SELECT site, timezone FROM zones"))
    union = " UNION ".join(f"SELECT DISTINCT site FROM ods_{kind}" for kind in (*PERSONAL, "tryon"))
    for (site,) in db.execute(union).fetchall():
        before = _day_before(zones.get(site), now_s, visitor_days)
        for kind in PERSONAL:
            gone = db.execute(f"DELETE FROM ods_{kind} WHERE site = ? AND local_day < ?", (site, before))
            count += gone.rowcount
        nameless = (
            "UPDATE ods_tryon SET visitor = NULL WHERE site = ? AND local_day < ? AND visitor IS NOT NULL"
        )
        count += db.execute(nameless, (site, before)).rowcount
        _close(db, site, before)
    return count


def _forget_facts(db: sqlite3.Connection, now_s: float, days: int) -> int:
    count = 0
    zones = dict(db.execute("SELECT site, timezone FROM zones"))
    listed = {kind: table for (kind, _), table in LISTS.items()}
    for kind in KINDS.values():
        if kind.begins is None or kind.name == "store":
            continue
        for (site,) in db.execute(f"SELECT DISTINCT site FROM ods_{kind.name}").fetchall():
            before = _day_before(zones.get(site), now_s, days)
            for table in filter(None, (kind.name, listed.get(kind.name))):
                gone = db.execute(f"DELETE FROM ods_{table} WHERE site = ? AND local_day < ?", (site, before))
                count += gone.rowcount
            _close(db, site, before)
    return count


def _close(db: sqlite3.Connection, site: str, before: str) -> None:
    """From now on nothing of a store's days before that is taken in."""
    db.execute(
        "INSERT INTO erased VALUES (?, ?) ON CONFLICT (site) DO UPDATE SET"
        " before_day = max(before_day, excluded.before_day)",
        (site, before),
    )


def _day_before(zone: str | None, now_s: float, days: int) -> str:
    """A store's local day so many days ago."""
    local = datetime.fromtimestamp(now_s, ZoneInfo(zone) if zone else timezone.utc)
    return shifted(local.date().isoformat(), -days)
