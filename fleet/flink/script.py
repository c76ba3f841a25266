"""The models as one Flink SQL script: a topic a kind in, a table a model out.

The rows of `fleet.ingest.rows` are written to a Kafka topic for each kind, keyed by fact, as JSON. Every
revision is kept there; what holds is a rank by revision (`fleet.models.texts.holding`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.ingest.columns import HEAD, KINDS, LIST_COLUMNS, Column, SqlType
from fleet.models.texts import holding, listed, queries, tables

FLINK_TYPES: Mapping[SqlType, str] = {
    "TEXT": "STRING",
    "REAL": "DOUBLE",
    "INTEGER": "BIGINT",
    "BOOLEAN": "BOOLEAN",
}
SETTINGS: Mapping[str, str] = {
    "execution.checkpointing.interval": "30 s",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "5000",
    "table.optimizer.agg-phase-strategy": "TWO_PHASE",
    "heartbeat.timeout": "300 s",
    "pekko.ask.timeout": "120 s",
}
"""Mini-batches and two phases: one large shop is first summed up locally."""
NEEDS_DEDUPLICATION = frozenset({"ads_tryon_end"})
"""Models whose key is not that of the query that makes them, as Flink sees it."""


def script(source: Mapping[str, str], sink: Mapping[str, str]) -> str:
    """All statements. In options of `source` and `sink`, `{name}` is the kind or the model.

    For example source `{"connector": "kafka", "topic": "fleet.{name}", "format": "json", ...}` and sink
    `{"connector": "jdbc", "url": "jdbc:postgresql://...", "table-name": "{name}"}`.
    """
    statements = [f"SET '{name}' = '{value}'" for name, value in SETTINGS.items()]
    statements += sources(source)
    statements += views()
    statements += [_sink(name, sink) for name in tables()]
    inserts = [_insert(name) for name in tables()]
    return ";\n".join([*statements, "BEGIN STATEMENT SET", *inserts, "END"]) + ";\n"


def sources(options: Mapping[str, str]) -> list[str]:
    """A table for each kind and each list, in the order of their columns."""
    found = [_table(f"ods_{kind.name}", kind.columns, kind.name, options) for kind in KINDS.values()]
    key = [column for column in HEAD if column.name in ("site", "device", "fact_key", "rev")]
    found += [_table(f"ods_{name}", (*key, *own), name, options) for name, own in LIST_COLUMNS.items()]
    return found


def views() -> list[str]:
    """What holds, then the models, each by its name."""
    found = [f"CREATE TEMPORARY VIEW dwd_{kind} AS {holding(kind)}" for kind in KINDS]
    found += [f"CREATE TEMPORARY VIEW dwd_{name} AS {listed(name)}" for name in LIST_COLUMNS]
    return found + [f"CREATE TEMPORARY VIEW {name} AS {query}" for name, query in queries().items()]


def _table(name: str, columns: tuple[Column, ...], short: str, options: Mapping[str, str]) -> str:
    told = ", ".join(f"{column.name} {FLINK_TYPES[column.type]}" for column in columns)
    return f"CREATE TEMPORARY TABLE {name} ({told}) WITH ({_with(options, short)})"


def _sink(name: str, options: Mapping[str, str]) -> str:
    model = tables()[name]
    told = ", ".join(f"{column} {FLINK_TYPES[sql]}" for column, sql in model.columns.items())
    key = ", ".join(model.key)
    return (
        f"CREATE TEMPORARY TABLE out_{name} ({told}, PRIMARY KEY ({key}) NOT ENFORCED)"
        f" WITH ({_with(options, name)})"
    )


def _insert(name: str) -> str:
    conflict = " ON CONFLICT DO DEDUPLICATE" if name in NEEDS_DEDUPLICATION else ""
    return f"INSERT INTO out_{name} SELECT * FROM {name}{conflict}"


def _with(options: Mapping[str, str], name: str) -> str:
    return ", ".join(f"'{key}' = '{value.format(name=name)}'" for key, value in options.items())
