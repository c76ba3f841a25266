"""The models as texts: read from the files, or made from the columns of the kinds."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from fleet.ingest.columns import HEAD, KEY, KINDS, LIST_COLUMNS, LISTS, SqlType

Feed = Literal["all"] | list[int]


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model's table, as keys.yaml has it."""

    columns: dict[str, SqlType]
    key: list[str]
    feeds: dict[str, Feed]
    through: dict[str, tuple[str, str]] = {}
    within: list[str] = []

    @property
    def is_by_day(self) -> bool:
        """Whether its partitions are days of a store; else each is a store."""
        return "local_day" in self.columns


@cache
def tables() -> dict[str, Model]:
    """The models that are kept as tables, in the order in which they are made."""
    text = (files("fleet.models") / "keys.yaml").read_bytes()
    described = msgspec.yaml.decode(text, type=dict[str, Model])
    return {name: described[name] for name in queries() if name in described}


@cache
def queries() -> dict[str, str]:
    """The SELECT of every model file by its name, lower layers first."""
    found = sorted(file.name for file in files("fleet.models").iterdir() if file.name.endswith(".sql"))
    return {name[3:-4]: (files("fleet.models") / name).read_text().strip() for name in found}


def holding(kind: str) -> str:
    """`dwd_KIND` of a history of revisions: the highest of each fact, if it was not withdrawn.

    `ORDER BY rev` alone: a second key makes Flink plan the rank as insert-only, and count corrections twice.
    """
    columns = ", ".join(column.name for column in KINDS[kind].columns)
    key = ", ".join(KEY)
    return (
        f"SELECT {columns}\nFROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY rev DESC) AS"
        f" revision_rank FROM ods_{kind}) AS revisions\nWHERE revision_rank = 1 AND NOT retracted"
    )


def listed(table: str) -> str:
    """`dwd_TABLE` of a history: the rows that hang on facts, of those revisions that hold."""
    kind = kind_of_list(table)
    own = ", ".join(f"item.{column.name}" for column in LIST_COLUMNS[table])
    joined = " AND ".join(f"item.{name} = fact.{name}" for name in (*KEY, "rev"))
    head = ", ".join(f"fact.{column.name}" for column in HEAD)
    return f"SELECT {head}, {own}\nFROM ods_{table} AS item\nJOIN dwd_{kind} AS fact ON {joined}"


def kind_of_list(table: str) -> str:
    """The kind whose facts list the rows of `table`."""
    return next(kind for (kind, _), name in LISTS.items() if name == table)
