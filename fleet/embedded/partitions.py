"""Which partitions (one store's local day) of which models are stale, and making those anew."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import TypeAlias

from fleet.models.texts import queries, tables

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
        """What changed facts make stale, by model, in the order in which they are to be made."""
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
        return found

    def rebuild(self, db: sqlite3.Connection, closed_before: Mapping[str, str]) -> int:
        """Make every stale partition anew, but no store's days before `closed_before`; returns how many."""
        count = 0
        changed: dict[str, set[str]] = {}
        for name, stale in self.partitions().items():
            for below in tables()[name].feeds.keys() & changed.keys():
                stale.update((site, None) for site in changed[below])
            whole = {site for site, day in stale if day is None}
            before = _rows(db, name, whole) if name in FEEDING else {}
            closed = {site for site in whole if site in closed_before and tables()[name].is_by_day}
            for site in closed:
                _make(db, name, "site = ? AND local_day >= ?", (site, closed_before[site]))
            for sites in _parts(sorted(whole - closed)):
                _make(db, name, f"site IN ({_marks(sites)})", sites)
            some = ((site, day) for site, day in stale if day and site not in whole)
            for sites, days in _together(one for one in some if one[1] >= closed_before.get(one[0], "")):
                where = f"site IN ({_marks(sites)}) AND local_day IN ({_marks(days)})"
                _make(db, name, where, (*sites, *days))
            if name in FEEDING:
                after = _rows(db, name, whole)
                changed[name] = {site for site in whole if before.get(site) != after.get(site)}
            count += len(stale)
        self._changed.clear()
        return count


FEEDING = frozenset(below for model in tables().values() for below in model.feeds if below in tables())
"""Models that make others stale where their rows change."""


def _rows(db: sqlite3.Connection, name: str, sites: Iterable[str]) -> dict[str, set[tuple[object, ...]]]:
    """What a model's table has of each store."""
    found: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for some in _parts(sorted(sites)):
        for row in db.execute(f"SELECT site, * FROM {name} WHERE site IN ({_marks(some)})", some):
            found[row[0]].add(row)
    return found


def _make(db: sqlite3.Connection, name: str, where: str, values: tuple[str, ...]) -> None:
    db.execute(f"DELETE FROM {name} WHERE {where}", values)
    query, times = query_of(name, where)
    db.execute(f"INSERT INTO {name} {query}", values * times)


def query_of(name: str, where: str) -> tuple[str, int]:
    """The rows of a model's partitions, and how often the values of `where` are wanted."""
    within = tables()[name].within
    if not within:
        return f"SELECT * FROM v_{name} WHERE {where}", 1
    parts = ", ".join(f"{below} AS (SELECT * FROM main.{below} WHERE {where})" for below in within)
    return f"WITH {parts} {queries()[name]}", len(within)


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
    return [(some, days) for days, sites in sites_of.items() for some in _parts(sites)]


def _parts(sites: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(sites[at : at + MOST_TOGETHER]) for at in range(0, len(sites), MOST_TOGETHER)]


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
