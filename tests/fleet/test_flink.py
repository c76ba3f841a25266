"""The models as a Flink job: one text for every engine, and no rank that counts corrections twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleet.flink.guard import insert_only_ranks
from fleet.flink.script import script, sources, views
from fleet.ingest.calendar import Calendar, zone_of
from fleet.ingest.columns import HEAD, KINDS, LIST_COLUMNS, LISTS
from fleet.ingest.rows import FactRow, RowReader, Unreadable
from fleet.load import arrivals, oracle
from fleet.load.compare import differing_rows
from fleet.models.texts import tables

PLANNED = """
   +- Rank(strategy=[AppendFastStrategy], rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd=1], \
partitionBy=[site, device, fact_key], orderBy=[rev DESC, seq DESC], select=[site, entered], changelogMode=[I])
   +- Rank(strategy=[RetractStrategy], rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd=1], \
partitionBy=[site, device, fact_key], orderBy=[rev DESC], select=[site, entered], changelogMode=[I,UB,UA,D])
"""


def test_the_guard_finds_the_rank_that_takes_nothing_back() -> None:
    (found,) = insert_only_ranks(PLANNED)
    assert "rev DESC, seq DESC" in found


def test_every_kind_comes_in_and_every_model_goes_out_by_its_key() -> None:
    text = script(
        {"connector": "kafka", "topic": "fleet.{name}"}, {"connector": "jdbc", "table-name": "{name}"}
    )
    for kind in KINDS:
        assert f"CREATE TEMPORARY TABLE ods_{kind} (" in text and f"'fleet.{kind}'" in text
    for name, model in tables().items():
        assert f"INSERT INTO out_{name} SELECT * FROM {name}" in text
        assert f"PRIMARY KEY ({', '.join(model.key)}) NOT ENFORCED) WITH ('connector' = 'jdbc'" in text


def test_the_same_texts_over_a_history_of_revisions_give_the_oracles_answers(tmp_path: Path) -> None:
    """DuckDB reads every revision that ever came, as Flink does, and the embedded engine does not."""
    duckdb = pytest.importorskip("duckdb", reason="the extra fleet is not installed")
    file = tmp_path / "lines"
    arrivals.write(file, stores=3, days=2, seed=13, visitors=25)
    db = duckdb.connect(config={"threads": 1})
    for statement in sources({"connector": "none"}):
        db.execute(statement.partition(" WITH (")[0].replace("STRING", "VARCHAR").replace("TEMPORARY ", ""))
    for name, history in _histories(file).items():
        marks = ", ".join("?" * len(history[0]))
        db.executemany(f"INSERT INTO ods_{name} VALUES ({marks})", history)
    for statement in views():
        db.execute(statement)
    expected = oracle.answers(file)
    found = {
        name: differing_rows(name, db.execute(f"SELECT * FROM {name}").fetchall(), rows)
        for name, rows in expected.items()
    }
    assert {name: count for name, count in found.items() if count} == {}
    assert sum(len(rows) for rows in expected.values()) > 2000


def _histories(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every revision of every fact as ingestion types it, once, and what it lists."""
    calendar = Calendar()
    reader = RowReader(calendar)
    lines = file.read_bytes().splitlines()
    zones: dict[str, tuple[float, str]] = {}
    for row in _read(reader, lines):
        if row.kind == "store":
            site, time_s, zone = str(row.values[1]), float(row.values[6] or 0), str(row.values[len(HEAD)])
            zones[site] = max(zones.get(site, (time_s, zone)), (time_s, zone))
    for site, (_, zone) in zones.items():
        calendar.set_zone(site, zone_of(zone))
    found: dict[str, list[tuple[Any, ...]]] = {}
    known: set[tuple[Any, ...]] = set()
    for row in _read(reader, lines):
        revision = (row.kind, *row.values[1:5])
        if revision in known:
            continue
        known.add(revision)
        found.setdefault(row.kind, []).append(row.values)
        for (kind, _), table in LISTS.items():
            if kind == row.kind:
                found.setdefault(table, []).extend((*row.values[1:5], *one) for one in row.listed)
    assert set(LIST_COLUMNS) <= set(found)
    return found


def _read(reader: RowReader, lines: list[bytes]) -> list[FactRow]:
    rows = []
    for line in lines:
        try:
            rows.append(reader.read(line))
        except Unreadable:
            continue
    return rows


def test_flink_plans_no_rank_that_takes_nothing_back() -> None:
    table = pytest.importorskip("pyflink.table", reason="apache-flink and Java 17 are not installed")
    environment = table.TableEnvironment.create(table.EnvironmentSettings.in_streaming_mode())
    for statement in [*sources({"connector": "datagen"}), *views()]:
        environment.execute_sql(statement)
    for name in tables():
        query = environment.sql_query(f"SELECT * FROM {name}")
        explained = query.explain(table.ExplainDetail.CHANGELOG_MODE)
        assert "Rank(" in explained or name.startswith("dim_"), name
        assert insert_only_ranks(explained) == [], name
