"""Versions of a SQLite file: forward step by step, backward not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from tagsight.errors import TagsightError


def migrate(
    db: sqlite3.Connection,
    steps: Sequence[str],
    path: Path | str,
    what: str,
    fault: Callable[[str], TagsightError],
) -> None:
    """Bring `db`, a `what` at `path`, up to version `len(steps)`, in one transaction.

    `steps[n]` is the SQL that makes version n + 1 out of version n; a new file has version 0. Raises
    what `fault` makes of a sentence for a file that a newer program wrote, and leaves that file as it is.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(steps):
            raise fault(
                f"{path}: written by a newer tagsight ({what} version {version}, this one knows "
                f"{len(steps)}); upgrade tagsight or give another {what} path"
            )
        for step in steps[version:]:
            for statement in filter(str.strip, step.split(";")):
                db.execute(statement)
        if version < len(steps):
            db.execute(f"PRAGMA user_version={len(steps)}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
