"""The warehouse as it is read: from its file, or from its replica where that does not go."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from fleet.errors import FleetError
from fleet.serve.asking import Asked, ask, opened, questions
from fleet.serve.settings import FleetSettings
from fleet.serve.sql import SqlAnswer, SqlService

log = logging.getLogger(__name__)


class NamedAnswer(NamedTuple):
    """Rows, whether there were more than the limit, and whether the replica answered, which is as old as its
    last copy."""

    rows: list[dict[str, Any]]
    is_cut: bool
    is_replica: bool


class Reading:
    """Answers questions and SQL; any number of threads may ask."""

    def __init__(self, settings: FleetSettings) -> None:
        self._files = [settings.warehouse]
        if settings.replica is not None:
            self._files.append(settings.replica.file)
        self._limits = settings.limits
        self._sql = SqlService(settings.warehouse, settings.sources, settings.limits)

    def answer(self, name: str, asked: Asked) -> NamedAnswer:
        """Raises FleetError for a name that is none, at a limit, and where no file can be read."""
        if name not in questions():
            raise FleetError(f"no question is called {name!r}; ask one of {', '.join(questions())}")
        file, is_replica = self._readable()
        db = opened(file)
        try:
            rows = ask(db, name, asked, self._limits.seconds, self._limits.rows + 1)
        finally:
            db.close()
        return NamedAnswer(rows[: self._limits.rows], len(rows) > self._limits.rows, is_replica)

    def sql(self, query: str, sites: frozenset[str] | None) -> tuple[SqlAnswer, bool]:
        """Somebody's own SELECT, and whether the replica answered. Raises FleetError."""
        file, is_replica = self._readable()
        return self._sql.ask(query, sites, file), is_replica

    def tables(self) -> list[str]:
        return self._sql.tables()

    def _readable(self) -> tuple[Path, bool]:
        """The first file that answers. Raises FleetError of the first where none does."""
        faults: list[FleetError] = []
        for place, file in enumerate(self._files):
            try:
                db = opened(file)
                try:
                    db.execute("SELECT count(*) FROM progress").fetchone()
                finally:
                    db.close()
            except (FleetError, sqlite3.Error) as error:
                faults.append(error if isinstance(error, FleetError) else FleetError(f"{file}: {error}"))
                continue
            if faults:
                log.warning("%s; the replica answers", faults[0])
            return file, place > 0
        raise faults[0]
