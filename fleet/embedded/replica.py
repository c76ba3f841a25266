"""A copy of the warehouse that answers where the warehouse itself cannot."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from fleet.errors import FleetError


def copy(db: sqlite3.Connection, file: Path) -> None:
    """A copy as of now, by SQLite's online backup; it takes the place of the last one at once.

    Raises FleetError where it cannot be made; the last one stays then.
    """
    beside = file.with_name(f"{file.name}.part")
    try:
        beside.unlink(missing_ok=True)
        target = sqlite3.connect(beside)
        try:
            db.backup(target)
        finally:
            target.close()
        beside.replace(file)
    except (sqlite3.Error, OSError) as error:
        raise FleetError(f"{file}: the replica cannot be made ({error})") from error


def restore(replica: Path, file: Path) -> None:
    """A warehouse's file anew from its replica, whole or not at all. Raises FleetError."""
    try:
        source = sqlite3.connect(f"file:{replica}?mode=ro", uri=True)
        try:
            copy(source, file)
        finally:
            source.close()
    except sqlite3.Error as error:
        raise FleetError(f"{file}: cannot be made anew from {replica} ({error})") from error
