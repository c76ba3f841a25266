"""Tables and views of the embedded engine's file.

A table of a kind holds the highest revision of each fact only, so what holds (`dwd_`) is a view of it without
a rank. A model is a table and a view `v_` that makes it; both read the layers below from their tables.
"""

from __future__ import annotations

import sqlite3

from fleet.ingest.columns import HEAD, KEY, KINDS, LIST_COLUMNS
from fleet.models.texts import kind_of_list, queries, tables

VERSION = 3
PLACES = ("site", "device", "fact_key", "local_day", "local_hour")
"""What a listed row repeats of its fact."""
JOINS = {
    "interaction": "(site, device, flip_key)",
    "sale": "(site, sku, time_s)",
    "flip": "(site, epc, start_s)",
    "store": "(site, time_s)",
    "stock": "(site, sku)",
}
"""By what models look rows up, beside a store's day: without it a refresh costs ten times as much."""

COUNTERS = (
    "events",
    "records",
    "duplicates",
    "older",
    "refused",
    "unreadable",
    "unknown_kind",
    "after_erasure",
)
OWN = """
CREATE TABLE progress (
    source TEXT PRIMARY KEY, position INTEGER NOT NULL, mark TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE refused (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, site TEXT NOT NULL, device TEXT NOT NULL,
    fact_key TEXT NOT NULL, rev INTEGER NOT NULL, why TEXT NOT NULL
);
CREATE TABLE zones (site TEXT PRIMARY KEY, timezone TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sites (site TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE erased (site TEXT PRIMARY KEY, before_day TEXT NOT NULL) WITHOUT ROWID;
"""


def create(db: sqlite3.Connection) -> None:
    """Make everything in an empty file."""
    for statement in filter(str.strip, OWN.split(";")):
        db.execute(statement)
    db.executemany("INSERT INTO counters VALUES (?, 0)", [(name,) for name in COUNTERS])
    for kind in KINDS.values():
        columns = ", ".join(f"{column.name} {column.type}" for column in kind.columns)
        db.execute(f"CREATE TABLE ods_{kind.name} ({columns}, PRIMARY KEY ({', '.join(KEY)}))")
        db.execute(f"CREATE INDEX day_{kind.name} ON ods_{kind.name} (site, local_day)")
        if kind.name in JOINS:
            db.execute(f"CREATE INDEX join_{kind.name} ON ods_{kind.name} {JOINS[kind.name]}")
        names = ", ".join(column.name for column in kind.columns)
        db.execute(f"CREATE VIEW dwd_{kind.name} AS SELECT {names} FROM ods_{kind.name} WHERE NOT retracted")
    for table, own in LIST_COLUMNS.items():
        places = [column for column in HEAD if column.name in PLACES]
        columns = ", ".join(f"{column.name} {column.type}" for column in (*places, *own))
        db.execute(f"CREATE TABLE ods_{table} ({columns})")
        db.execute(f"CREATE INDEX fact_{table} ON ods_{table} ({', '.join(KEY)})")
        db.execute(f"CREATE INDEX day_{table} ON ods_{table} (site, local_day)")
        db.execute(f"CREATE VIEW dwd_{table} AS {_listed(table)}")
    for name, query in queries().items():
        if name not in tables():
            db.execute(f"CREATE VIEW {name} AS {query}")
    for name, model in tables().items():
        columns = ", ".join(f"{column} {kind_of_sql}" for column, kind_of_sql in model.columns.items())
        db.execute(f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({', '.join(model.key)}))")
        db.execute(f"CREATE VIEW v_{name} AS {queries()[name]}")
    db.execute(f"PRAGMA user_version={VERSION}")


def upgrade(db: sqlite3.Connection, version: int) -> None:
    """Bring a file of an earlier version to this one's. A box says where things stand at its next start."""
    if version < 2:
        db.execute("ALTER TABLE ods_store ADD COLUMN layout TEXT")
        db.execute("DROP VIEW dwd_store")
        names = ", ".join(column.name for column in KINDS["store"].columns)
        db.execute(f"CREATE VIEW dwd_store AS SELECT {names} FROM ods_store WHERE NOT retracted")
    if version < 3:
        db.execute("ALTER TABLE ods_tryon RENAME COLUMN reads TO read_count")
    db.execute(f"PRAGMA user_version={VERSION}")


def _listed(table: str) -> str:
    """Listed rows are taken away with their fact's revision; only their moment has to be looked up."""
    own = ", ".join(f"one.{column.name}" for column in LIST_COLUMNS[table])
    places = ", ".join(f"one.{name}" for name in PLACES)
    if table != "store_fixture":
        return f"SELECT {places}, {own} FROM ods_{table} AS one"
    joined = " AND ".join(f"one.{name} = fact.{name}" for name in KEY)
    return (
        f"SELECT {places}, fact.time_s, {own} FROM ods_{table} AS one"
        f" JOIN ods_{kind_of_list(table)} AS fact ON {joined}"
    )
