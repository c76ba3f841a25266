"""The models as a Flink job: one text for every engine, and no rank that counts corrections twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fleet.flink.guard import insert_only_ranks
from fleet.flink.histories import histories
from fleet.flink.script import script, sources, views
from fleet.ingest.columns import KINDS, LIST_COLUMNS
from fleet.load import arrivals, oracle
from fleet.load.compare import differing_rows
from fleet.models.texts import holding, tables

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
    arrivals.write(file, stores=3, days=2, seed=13, visitors=25, shuffled=True)
    db = duckdb.connect(config={"threads": 1})
    for statement in sources({"connector": "none"}):
        db.execute(statement.partition(" WITH (")[0].replace("STRING", "VARCHAR").replace("TEMPORARY ", ""))
    found = histories(file.read_bytes().splitlines())
    assert set(LIST_COLUMNS) <= set(found)
    for name, history in found.items():
        marks = ", ".join("?" * len(history[0]))
        db.executemany(f"INSERT INTO ods_{name} VALUES ({marks})", history)
    for statement in views():
        db.execute(statement)
    expected = oracle.answers(file)
    differing = {
        name: differing_rows(name, db.execute(f"SELECT * FROM {name}").fetchall(), rows)
        for name, rows in expected.items()
    }
    assert {name: count for name, count in differing.items() if count} == {}
    assert sum(len(rows) for rows in expected.values()) > 2000


def test_no_name_is_a_word_that_flink_keeps_for_itself() -> None:
    """`flink_reserved.txt` is by Flink 2.3.0's own parser (`python -m bench.fleet.flink --reserved`)."""
    reserved = set((Path(__file__).parent / "flink_reserved.txt").read_text().split())
    assert {"READS", "ONE"} <= reserved
    texts = [*sources({}), *views()]
    names = {word.upper() for text in texts for word in re.findall(r"(?:AS |\.)(\w+)", text)}
    names |= {word.upper() for text in sources({}) for word in re.findall(r"[(,] ?(\w+) [A-Z]+", text)}
    assert len(names) > 100 and names & (reserved - {"SELECT"}) == set()


def _environment() -> Any:
    table = pytest.importorskip("pyflink.table", reason="no Flink here: scripts/fetch-flink has one")
    environment = table.TableEnvironment.create(table.EnvironmentSettings.in_streaming_mode())
    for statement in sources({"connector": "datagen"}):
        environment.execute_sql(statement)
    return environment


def _plan(environment: Any, query: str) -> str:
    from pyflink.table import ExplainDetail

    return str(environment.sql_query(query).explain(ExplainDetail.CHANGELOG_MODE))


def test_flink_plans_no_rank_that_takes_nothing_back() -> None:
    environment = _environment()
    for statement in views():
        environment.execute_sql(statement)
    for name in tables():
        explained = _plan(environment, f"SELECT * FROM {name}")
        assert "Rank(" in explained, name
        assert insert_only_ranks(explained) == [], name


def test_flink_plans_such_a_rank_where_a_second_key_is_in_the_order() -> None:
    environment = _environment()
    worse = holding("footfall").replace("ORDER BY rev DESC", "ORDER BY rev DESC, received_s DESC")
    assert insert_only_ranks(_plan(environment, worse)) != []
    assert insert_only_ranks(_plan(environment, holding("footfall"))) == []
