"""A question by its name, put to a warehouse file that somebody else may be filling."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from fleet.errors import FleetError
from fleet.models.texts import tables

DEFAULT_MINUTES = 30.0
FIRST_DAY, LAST_DAY = "0000-01-01", "9999-12-31"
DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
STEPS_BETWEEN_LOOKS = 10_000
"""SQLite's virtual machine looks at the clock so often: about every millisecond."""


class Question(NamedTuple):
    """What it says, and its SQL with the parameters of `Asked`."""

    about: str
    sql: str


class Asked(NamedTuple):
    """Which stores (None: all), which local days, and for what did not happen: since when, as of when."""

    sites: Collection[str] | None = None
    first_day: str = FIRST_DAY
    last_day: str = LAST_DAY
    minutes: float = DEFAULT_MINUTES
    now_s: float | None = None


@cache
def questions() -> Mapping[str, Question]:
    """By name: the files beside this module, and every model's table as it is."""
    found = {}
    for file in files("fleet.serve").joinpath("questions").iterdir():
        if file.name.endswith(".sql"):
            about, _, sql = file.read_text().partition("\n")
            found[file.name[:-4]] = Question(about.removeprefix("-- "), sql)
    for name, model in tables().items():
        days = " WHERE told.local_day BETWEEN :first_day AND :last_day" if model.is_by_day else ""
        order = ", ".join(f"told.{column}" for column in model.key)
        sql = f"SELECT told.* FROM {name} AS told JOIN asked ON asked.site = told.site{days} ORDER BY {order}"
        found[name] = Question(f"The table {name}.", sql)
    return dict(sorted(found.items()))


def opened(path: Path) -> sqlite3.Connection:
    """For reading only. Raises FleetError where there is no warehouse."""
    if not path.exists():
        raise FleetError(f"{path}: no warehouse there; tagsight fleet backfill FILE --db {path} makes one")
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0, check_same_thread=False)
        is_ours = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'ads_tryon_end'").fetchone()
    except sqlite3.Error as error:
        raise FleetError(f"{path}: cannot be read as a warehouse ({error})") from error
    if is_ours is None:
        db.close()
        raise FleetError(f"{path}: no warehouse of this version of tagsight; give another --db")
    return db


def ask(
    db: sqlite3.Connection,
    name: str,
    asked: Asked,
    limit_s: float | None = None,
    most_rows: int | None = None,
) -> list[dict[str, Any]]:
    """The rows, at most `most_rows`. Raises FleetError for a name that is none, and after `limit_s`."""
    question = questions().get(name)
    if question is None:
        raise FleetError(f"no question is called {name!r}; ask one of {', '.join(questions())}")
    for day in (asked.first_day, asked.last_day):
        if not DAY.fullmatch(day):
            raise FleetError(f"{day!r} is no day; give it as 2026-02-27")
    values = {
        "first_day": asked.first_day,
        "last_day": asked.last_day,
        "minutes": asked.minutes,
        "now_s": time.time() if asked.now_s is None else asked.now_s,
    }
    until_s = None if limit_s is None else time.monotonic() + limit_s
    try:
        _note_sites(db, asked.sites)
        if until_s is not None:
            db.set_progress_handler(lambda: int(time.monotonic() > until_s), STEPS_BETWEEN_LOOKS)
        rows = db.execute(question.sql, values)
        columns = [one[0] for one in rows.description]
        found = rows.fetchall() if most_rows is None else rows.fetchmany(most_rows)
        return [dict(zip(columns, row, strict=True)) for row in found]
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise FleetError(f"{name}: stopped after {limit_s:g} s; ask for fewer days or stores") from error
        raise FleetError(f"{name}: cannot be answered ({error})") from error
    finally:
        db.set_progress_handler(None, 0)


def _note_sites(db: sqlite3.Connection, sites: Collection[str] | None) -> None:
    """The stores that are asked for, as the table that every question joins."""
    db.execute("DROP TABLE IF EXISTS temp.asked")
    db.execute("CREATE TEMP TABLE asked (site TEXT PRIMARY KEY)")
    if sites is None:
        db.execute("INSERT INTO asked SELECT site FROM main.sites")
    else:
        db.executemany("INSERT OR IGNORE INTO asked VALUES (?)", [(site,) for site in sites])
