"""Rows of single visitors go after some days; the sums of those days stay as they were."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from fleet.embedded.partitions import shifted

PERSONAL = ("visit", "dwell", "interaction")
"""Kinds whose facts are of one visitor each."""


def erase(db: sqlite3.Connection, now_s: float, visitor_days: int) -> int:
    """Erase what is older than so many local days of its store; returns how many rows went.

    The days are closed by that: nothing of them is taken in or made anew any more (`erased`). Within a
    transaction of the caller's.
    """
    count = 0
    zones = dict(db.execute("SELECT site, timezone FROM zones"))
    union = " UNION ".join(f"SELECT DISTINCT site FROM ods_{kind}" for kind in (*PERSONAL, "tryon"))
    for (site,) in db.execute(union).fetchall():
        zone = ZoneInfo(zones[site]) if site in zones else timezone.utc
        today = datetime.fromtimestamp(now_s, zone).date().isoformat()
        before = shifted(today, -visitor_days)
        for kind in PERSONAL:
            gone = db.execute(f"DELETE FROM ods_{kind} WHERE site = ? AND local_day < ?", (site, before))
            count += gone.rowcount
        nameless = (
            "UPDATE ods_tryon SET visitor = NULL WHERE site = ? AND local_day < ? AND visitor IS NOT NULL"
        )
        count += db.execute(nameless, (site, before)).rowcount
        db.execute(
            "INSERT INTO erased VALUES (?, ?) ON CONFLICT (site) DO UPDATE SET"
            " before_day = max(before_day, excluded.before_day)",
            (site, before),
        )
    return count
