"""The columns of every kind: taken from the structs of events and records, so that none is forgotten.

A kind is a table with one row for each fact, its scalar fields as columns. What a fact lists by name (the
zones of a heatmap, the classes of an attribute, the fixtures of a store) is a table of its own whose rows
hang on the fact. Coverage becomes the seconds that cameras were blind, all cameras together; the ranges of a
gap become how many numbers are missing; where things stand in a store stays JSON, which no SQL looks into.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from contract.envelope import KINDS as EVENT_KINDS
from contract.facts import Coverage
from fleet.ingest.records import RECORD_TYPES

SqlType = Literal["TEXT", "REAL", "INTEGER", "BOOLEAN"]
SCALARS: dict[Any, SqlType] = {str: "TEXT", float: "REAL", int: "INTEGER", bool: "BOOLEAN"}


class Column(NamedTuple):
    """A column, and the field it is read from."""

    name: str
    type: SqlType
    field: str


HEAD = (
    Column("received_s", "REAL", "received_s"),
    Column("site", "TEXT", "site"),
    Column("device", "TEXT", "device"),
    Column("fact_key", "TEXT", "key"),
    Column("rev", "INTEGER", "rev"),
    Column("retracted", "BOOLEAN", "retracted"),
    Column("time_s", "REAL", "time_s"),
    Column("local_day", "TEXT", ""),
    Column("local_hour", "INTEGER", ""),
)
KEY = ("site", "device", "fact_key")
RENAMED = {
    "left": "went_out",
    "zone": "zone_name",
    "open": "is_open",
    "partial": "is_partial",
    "flip": "flip_key",
    "coverage": "blind_s",
    "day": "plan_day",
    "ranges": "missing",
    "reads": "read_count",
    "attribute": "attribute_name",
}
"""Names that SQL keeps for itself, in one engine or another, or that say more in a join."""
LISTS: dict[tuple[str, str], str] = {
    ("heatmap", "zones"): "heat_zone",
    ("attributes", "counts"): "attribute_class",
    ("store", "fixtures"): "store_fixture",
}
"""(kind, field): the table of what the field lists."""
LIST_COLUMNS: dict[str, tuple[Column, ...]] = {
    "heat_zone": (Column("zone_name", "TEXT", ""), Column("person_s", "REAL", "")),
    "attribute_class": (
        Column("entrance", "TEXT", ""),
        Column("attribute_name", "TEXT", ""),
        Column("class_name", "TEXT", ""),
        Column("persons", "INTEGER", ""),
    ),
    "store_fixture": (Column("fixture", "TEXT", ""), Column("zone_name", "TEXT", "")),
}
LAYOUT = ("extent_m", "entrances", "zones", "fixtures")
"""Of a store: what becomes its column `layout`."""
BEGINNINGS = ("start_s", "enter_s", "time_s")
"""The local day of a fact is that of its beginning."""


class KindTable(NamedTuple):
    """One kind: its table `ods_NAME`. `begins` is the field whose local day and hour the fact has."""

    name: str
    struct: type[msgspec.Struct]
    own: tuple[Column, ...]
    begins: str | None

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*HEAD, *self.own)


def _kinds() -> dict[str, KindTable]:
    records = {str(record.__struct_config__.tag): record for record in RECORD_TYPES}
    return {name: _kind(name, struct) for name, struct in {**EVENT_KINDS, **records}.items()}


def _kind(name: str, struct: type[msgspec.Struct]) -> KindTable:
    shared = {column.field for column in HEAD}
    found = []
    for field, hint in get_type_hints(struct, include_extras=True).items():
        kind_of_sql = _sql_type(hint)
        if field not in shared and kind_of_sql is not None:
            found.append(Column(RENAMED.get(field, field), kind_of_sql, field))
    if name == "store":
        found.append(Column("layout", "TEXT", LAYOUT[-1]))
    begins = next((field for field in BEGINNINGS if field in struct.__struct_fields__), None)
    return KindTable(name, struct, tuple(found), begins)


def _sql_type(hint: Any) -> SqlType | None:
    """Of a field's type; None for what is no scalar. An optional field is one of its type."""
    if get_origin(hint) is Annotated:
        return _sql_type(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        inner = [_sql_type(one) for one in get_args(hint) if one is not NoneType]
        return inner[0] if len(inner) == 1 else None
    if get_origin(hint) is Literal:
        return "TEXT"
    if hint == tuple[Coverage, ...]:
        return "REAL"
    if hint == tuple[tuple[int, int], ...]:
        return "INTEGER"
    return SCALARS.get(hint)


KINDS: dict[str, KindTable] = _kinds()
