"""How far each source has been taken in, and each part of a window of it that was put in order by store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias

Mark: TypeAlias = str | Callable[[int], str]
"""What is noted beside a position, or what it is at a position: another says that the source is another."""


def mark_at(mark: Mark, position: int) -> str:
    return mark if isinstance(mark, str) else mark(position)


def note(db: sqlite3.Connection, source: str, position: int, mark: Mark) -> None:
    """Within a transaction of the caller's."""
    noted = mark_at(mark, position)
    db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?)", (source, position, noted))


def part_of(source: str, last: int, piles: str) -> str:
    """What a part of a window is called as a source; `last` is the window's last position.

    Its piles are in its name: what another version of this put together otherwise is another part.
    """
    return f"{_parts_of(source)}{last}:{piles}"


def window_of(db: sqlite3.Connection, source: str) -> tuple[int, str] | None:
    """The last position and the mark of a window of which parts are taken in already."""
    parts = _parts_of(source)
    row = db.execute(
        "SELECT substr(source, length(?1) + 1), mark FROM progress WHERE substr(source, 1, length(?1)) = ?1",
        (parts,),
    ).fetchone()
    return None if row is None else (int(row[0].partition(":")[0]), str(row[1]))


def forget_window(db: sqlite3.Connection, source: str) -> None:
    """What became of its parts says the source's own progress, or nothing."""
    parts = _parts_of(source)
    db.execute("DELETE FROM progress WHERE substr(source, 1, ?) = ?", (len(parts), parts))


def _parts_of(source: str) -> str:
    return f"part of {source}\n"
