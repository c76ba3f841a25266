"""Which partitions (one store's local day) of which models are stale, and making those anew."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import TypeAlias

from fleet.models.texts import tables

Partition: TypeAlias = tuple[str, str | None]
"""A store and a local day of it, or all its days (None)."""


class Stale:
    """Collected over a batch; `rebuild` makes all of it anew and begins from nothing."""

    def __init__(self) -> None:
        self._changed: set[tuple[str, str, str]] = set()
        """Kind, store, local day."""

    def add(self, kind: str, site: str, day: str) -> None:
        """Facts of a kind have changed on a store's day."""
        self._changed.add((kind, site, day))

    def partitions(self) -> dict[str, set[Partition]]:
        """By model, in the order in which they are to be made."""
        found: dict[str, set[Partition]] = {name: set() for name in tables()}
        for name, model in tables().items():
            for kind, site, day in self._changed:
                feed = model.feeds.get(kind)
                if feed is None:
                    continue
                if feed == "all" or not model.is_by_day:
                    found[name].add((site, None))
                else:
                    found[name].update((site, shifted(day, by)) for by in feed)
        return {name: stale for name, stale in found.items() if stale}

    def rebuild(self, db: sqlite3.Connection, closed_before: Mapping[str, str]) -> int:
        """Make every stale partition anew, but no store's days before `closed_before`; returns how many."""
        count = 0
        for name, stale in self.partitions().items():
            whole = {site for site, day in stale if day is None}
            for site in whole:
                if site in closed_before and tables()[name].is_by_day:
                    _make(db, name, "site = ? AND local_day >= ?", (site, closed_before[site]))
                else:
                    _make(db, name, "site = ?", (site,))
            some = ((site, day) for site, day in stale if day and site not in whole)
            for sites, days in _together(one for one in some if one[1] >= closed_before.get(one[0], "")):
                where = f"site IN ({_marks(sites)}) AND local_day IN ({_marks(days)})"
                _make(db, name, where, (*sites, *days))
            count += len(stale)
        self._changed.clear()
        return count


def _make(db: sqlite3.Connection, name: str, where: str, values: tuple[str, ...]) -> None:
    db.execute(f"DELETE FROM {name} WHERE {where}", values)
    db.execute(f"INSERT INTO {name} SELECT * FROM v_{name} WHERE {where}", values)


MOST_TOGETHER = 200
"""Stores of a statement; SQLite takes 32,766 values."""


def _together(stale: Iterable[tuple[str, str]]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Stores with the same stale days share a statement."""
    days_of: dict[str, set[str]] = defaultdict(set)
    for site, day in stale:
        days_of[site].add(day)
    sites_of: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for site, days in days_of.items():
        sites_of[tuple(sorted(days))].append(site)
    return [
        (tuple(sites[at : at + MOST_TOGETHER]), days)
        for days, sites in sites_of.items()
        for at in range(0, len(sites), MOST_TOGETHER)
    ]


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))


@lru_cache(maxsize=10_000)
def shifted(day: str, by: int) -> str:
    """The local day so many days later."""
    if not by or not day:
        return day
    try:
        return (date.fromisoformat(day) + timedelta(days=by)).isoformat()
    except (OverflowError, ValueError):
        return day
