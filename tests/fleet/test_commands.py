"""`tagsight fleet`: what it prints, and what it says of mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from fleet.embedded.feeding import feed_file
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.records import DayPlan, Sale, Stock
from fleet.load import arrivals
from fleet.serve.asking import Asked, ask, questions
from runtime.cli import main

from .lines import NOON_S, ORIGIN, event, footfall, sale, tryon


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["fleet", *arguments])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "events.jsonl"
    lines = [
        event(footfall(3)),
        event(footfall(5, rev=1), 2),
        event(tryon(open=True), 3),
        event(tryon(rev=1), 4),
    ]
    file.write_bytes(b"\n".join(lines) + b"\n\n")
    return file


def test_a_load_test_prints_its_figures_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(
        capsys, "load", "--stores", "2", "--days", "1", "--seed", "3", "--visitors", "5", "--json"
    )
    told = json.loads(out)
    assert code == 0 and told["differing_rows"] == 0 and told["answers"] >= 8
    assert told["events"] > 500 and told["events_per_cpu_s"] > 0 and 0 < told["peak_mb"] < 100


def test_a_load_test_that_differs_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--stores", "2", "--days", "1", "--visitors", "20", "--shuffled", "--last-holds")
    code, out, _ = run(capsys, "load", *arguments)
    assert code == 1 and "differing_rows     0" not in out


def test_history_is_taken_in_once_however_often_it_comes(
    capsys: pytest.CaptureFixture[str], events: Path, tmp_path: Path
) -> None:
    db = str(tmp_path / "w.db")
    told = [run(capsys, "backfill", str(events), "--db", db, "--json") for _ in range(2)]
    assert [json.loads(out)["lines"][str(events)] for _, out, _ in told] == [4, 0]
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(events.read_bytes())
    _, out, _ = run(capsys, "backfill", str(copy), "--db", db, "--json")
    assert json.loads(out)["counters"]["duplicates"] == 2
    _, out, _ = run(capsys, "answers", "footfall", "--db", db, "--json")
    (row,) = json.loads(out)["rows"]
    assert (row["entered"], row["store_blind_s"], row["missing_events"]) == (5, 0, 0)


def test_csv_of_tills_and_planners_is_taken_in_with_the_events(
    capsys: pytest.CaptureFixture[str], events: Path, tmp_path: Path
) -> None:
    sales, plan = tmp_path / "sales.csv", tmp_path / "plan.csv"
    sales.write_text(f"site,key,sku,time_s,quantity\nplaza,t/1,SHIRT,{NOON_S + 60},2\n")
    plan.write_text("site,key,day,entered,sold\nplaza,p/1,2026-10-25,10,\n")
    db = str(tmp_path / "w.db")
    assert run(capsys, "backfill", str(events), str(sales), str(plan), "--db", db)[0] == 0
    _, out, _ = run(capsys, "answers", "plan", "--db", db, "--json")
    (row,) = json.loads(out)["rows"]
    assert (row["entered"], row["entered_percent"], row["sold"], row["plan_sold"]) == (5, 50.0, 2, None)
    _, out, _ = run(capsys, "answers", "funnel", "--db", db)
    assert "bought 2" in out and "tried_on 1" in out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("site,key,colour\n", "its header is colour, key, site; give one of site, key, rev"),
        ("site,key,sku,time_s\nplaza,1,S,noon\n", "row 1: Expected `float`"),
        ("", "its header is empty"),
    ],
)
def test_a_table_that_is_none_is_answered_by_what_would_be_right(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(text)
    code, _, err = run(capsys, "backfill", str(file), "--db", str(tmp_path / "w.db"))
    assert code == 1 and sentence in err and "Traceback" not in err


def test_mistakes_are_answered_by_a_sentence(
    capsys: pytest.CaptureFixture[str], events: Path, tmp_path: Path
) -> None:
    db = tmp_path / "w.db"
    code, _, err = run(capsys, "answers", "footfall", "--db", str(db))
    assert code == 1 and "no warehouse there" in err
    run(capsys, "backfill", str(events), "--db", str(db))
    code, _, err = run(capsys, "answers", "weather", "--db", str(db))
    assert code == 1 and "no question is called 'weather'; ask one of" in err
    code, _, err = run(capsys, "answers", "footfall", "--db", str(events))
    assert code == 1 and "cannot be read as a warehouse" in err


def test_the_schema_of_records_is_that_of_the_structs(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "schema")
    told = json.loads(out)
    assert set(told["$defs"]) == {"Sale", "Stock", "DayPlan"}
    for name, struct in (("Sale", Sale), ("Stock", Stock), ("DayPlan", DayPlan)):
        fields = told["$defs"][name]["properties"]
        assert set(fields) == {*struct.__struct_fields__, "kind"}
        assert all(says["description"] and says["examples"] for key, says in fields.items() if key != "kind")
    assert msgspec.json.decode(sale(NOON_S), type=Sale).site == ORIGIN.site


NO_COUNTS = ("silent", "sites", "layout")


def test_every_question_is_listed_and_no_count_is_without_blind_seconds_and_lost_events(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = run(capsys, "answers")
    told = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert set(told) == set(questions())
    for name, question in questions().items():
        if not name.startswith(("dws_", "ads_", "dim_")) and name not in NO_COUNTS:
            assert "store_blind_s" in question.sql and "missing_events" in question.sql, name


def test_stores_are_compared_articles_by_where_they_hang_and_visitors_by_what_they_handled(
    tmp_path: Path,
) -> None:
    file = tmp_path / "lines"
    arrivals.write(file, stores=2, days=1, seed=2, visitors=30)
    warehouse = Warehouse(":memory:")
    feed_file(warehouse, file)
    stores, positions, visitors = (
        ask(warehouse.db, name, Asked()) for name in ("stores", "positions", "handled_by_visitor")
    )
    funnel = ask(warehouse.db, "funnel", Asked())
    for site in ("s0000", "s0001"):
        handled = sum(row["handled"] for row in funnel if row["site"] == site)
        assert handled == sum(row["handled"] for row in positions if row["site"] == site) > 5
        days = [row for row in stores if row["site"] == site]
        assert sum(row["handled"] for row in days) <= handled
        assert any(row["bought_per_100_entered"] for row in days)
    matched = sum(row["matched"] for row in ask(warehouse.db, "interactions", Asked()))
    assert matched <= sum(row["touches"] for row in visitors) <= matched + 10
    assert all(0 < row["mean_probability"] <= 1 for row in visitors)
