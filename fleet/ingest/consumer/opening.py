"""Opening the consumer's database while others open and close it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from fleet.errors import FleetError
from fleet.ingest.consumer.tables import STEPS
from tagsight.migrations import migrate

OPEN_TIMEOUT_S = 10.0


def opened(path: Path | str) -> sqlite3.Connection:
    """The store's database, made or brought up to date. Raises sqlite3.Error.

    Turning a new file's journal to WAL needs the file alone, and SQLite does not wait for that: somebody
    who opens or closes it at the same moment is waited for here.
    """
    until_s = time.monotonic() + OPEN_TIMEOUT_S
    while True:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            migrate(db, STEPS, path, "event store", FleetError)
        except sqlite3.OperationalError as error:
            db.close()
            if "locked" not in str(error) or time.monotonic() > until_s:
                raise
            time.sleep(0.05)
        except BaseException:
            db.close()
            raise
        else:
            return db
