"""Where two answers differ: keys and whole numbers exactly, sums of seconds to the hundredth."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, TypeAlias

from fleet.models.texts import tables

Row: TypeAlias = tuple[Any, ...]
TOLERANCE = 0.01


def differing(db: sqlite3.Connection, expected: dict[str, set[Row]]) -> dict[str, int]:
    """By table: how many rows are in one and not in the other, or with other values."""
    return {
        name: differing_rows(name, db.execute(f"SELECT * FROM {name}"), rows)
        for name, rows in expected.items()
    }


def differing_rows(name: str, found: Iterable[Row], expected: Iterable[Row]) -> int:
    """Rows of one table, in the order of its columns."""
    model = tables()[name]
    places = [list(model.columns).index(column) for column in model.key]
    ours = {tuple(row[at] for at in places): row for row in found}
    theirs = {tuple(row[at] for at in places): row for row in expected}
    count = len(ours.keys() ^ theirs.keys())
    return count + sum(not _same(row, theirs[key]) for key, row in ours.items() if key in theirs)


def _same(one: Row, other: Row) -> bool:
    return all(
        abs(a - b) <= TOLERANCE if isinstance(a, float) and isinstance(b, float | int) else a == b
        for a, b in zip(one, other, strict=True)
    )
