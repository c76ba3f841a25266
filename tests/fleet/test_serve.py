"""The service: who may see what, what a query may cost, what answers when a file is gone."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.envelope import Origin
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest.consumer.store import CloudStore
from fleet.serve.export import export, export_as_known
from fleet.serve.filling import Filler
from fleet.serve.settings import ApiUser, BoardSettings, FleetSettings, Limits, Replica, load
from fleet.serve.sql import SqlService

from .lines import NOON_S, event, footfall, rows, sale, taken

pytest.importorskip("starlette", reason="the extra fleet is not installed")
pytest.importorskip("duckdb_extensions", reason="the extra fleet is not installed")

from starlette.testclient import TestClient

from fleet.serve.rest import Api
from fleet.serve.service import serve

SITES = ("plaza", "harbour", "station")
TOKENS = {"north": "north-token", "all": "all-token", "till": "till-token"}


def user(name: str, **more: Any) -> ApiUser:
    return ApiUser(name=name, token_sha256=hashlib.sha256(TOKENS[name].encode()).hexdigest(), **more)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse in which three sites have told of an hour."""
    file = tmp_path_factory.mktemp("filled") / "w.db"
    warehouse = Warehouse(file)
    taken([event(footfall(3 + at), 1, Origin(site, "box")) for at, site in enumerate(SITES)], warehouse)
    warehouse.close()
    return file


@pytest.fixture
def settings(tmp_path: Path, filled: Path) -> FleetSettings:
    plan = tmp_path / "kpi.csv"
    plan.write_text("site,target\nplaza,10\nharbour,20\nstation,30\n")
    shutil.copy(filled, tmp_path / "w.db")
    return FleetSettings(
        warehouse=tmp_path / "w.db",
        sources={"kpi": plan},
        chains={"north": ["plaza", "harbour"]},
        users=[
            user("north", chains=["north"], sql=True),
            user("all", sql=True),
            user("till", sites=["plaza"], hands_in=True),
        ],
        limits=Limits(seconds=10.0),
        replica=Replica(file=tmp_path / "replica.db"),
    )


@pytest.fixture
def client(settings: FleetSettings) -> Iterator[TestClient]:
    with TestClient(Api(settings, Filler(settings)).app) as opened:
        yield opened


def as_user(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {TOKENS[name]}"}


def test_a_question_is_answered_of_the_stores_that_the_user_may_see(client: TestClient) -> None:
    def seen(name: str, query: str = "") -> list[tuple[str, int]]:
        told = client.get(f"/v1/answers/footfall{query}", headers=as_user(name)).json()
        return [(row["site"], row["entered"]) for row in told["rows"]]

    assert seen("north") == [("harbour", 4), ("plaza", 3)]
    assert seen("all") == [("harbour", 4), ("plaza", 3), ("station", 5)]
    assert seen("all", "?site=station&from=2026-10-25&to=2026-10-25") == [("station", 5)]
    assert seen("all", "?to=2026-10-24") == []
    hidden = client.get("/v1/answers/footfall?site=station", headers=as_user("north"))
    assert hidden.status_code == 403 and "may not see station" in hidden.json()["error"]


def test_without_a_token_nothing_is_said_of_any_store(client: TestClient) -> None:
    for path in ("/v1/questions", "/v1/answers/footfall"):
        for headers in ({}, {"authorization": "Bearer no"}, {"authorization": TOKENS["all"]}):
            assert client.get(path, headers=headers).status_code == 401
    assert client.post("/v1/sql", content="SELECT 1").status_code == 401
    told = client.get("/v1/health").json()
    assert set(told) == {"state", "faults", "looked_s"}
    assert not any(site in client.get("/openapi.json").text for site in ("harbour", "station"))


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/v1/answers/weather", 400, "no question is called 'weather'; ask one of"),
        ("/v1/answers/unbought?minutes=soon", 400, "minutes and now are numbers"),
        ("/v1/answers/footfall?from=27.2.2026", 400, "'27.2.2026' is no day; give it as 2026-02-27"),
    ],
)
def test_a_wrong_question_is_answered_by_what_is_right(
    client: TestClient, path: str, status: int, told: str
) -> None:
    answer = client.get(path, headers=as_user("all"))
    assert answer.status_code == status and told in answer.json()["error"]


def test_sql_joins_counts_with_a_table_beside_them_and_sees_the_users_stores_only(client: TestClient) -> None:
    query = (
        "WITH told AS (SELECT site, SUM(entered) AS entered FROM dws_footfall_hour GROUP BY site) "
        "SELECT site, entered, target FROM told JOIN kpi USING (site) ORDER BY site"
    )
    found = {
        name: client.post("/v1/sql", content=query, headers=as_user(name)).json()["rows"]
        for name in ("north", "all")
    }
    assert found["north"] == [["harbour", 4, 20], ["plaza", 3, 10]]
    assert found["all"] == [["harbour", 4, 20], ["plaza", 3, 10], ["station", 5, 30]]
    count = client.post("/v1/sql", content="SELECT count(*) FROM kpi", headers=as_user("north")).json()
    assert count["rows"] == [[2]]
    assert client.post("/v1/sql", content="SELECT 1", headers=as_user("till")).status_code == 403


def test_an_answer_that_is_too_long_says_that_it_is_cut(settings: FleetSettings) -> None:
    few = msgspec.structs.replace(settings, limits=Limits(rows=2), users=[])
    with TestClient(Api(few).app, "http://127.0.0.1") as client:
        told = client.get("/v1/answers/footfall").json()
        assert len(told["rows"]) == 2 and told["cut"] is True
        whole = client.get("/v1/answers/footfall?site=plaza").json()
        assert len(whole["rows"]) == 1 and whole["cut"] is False


FORBIDDEN = [
    "SELECT * FROM live.dws_footfall_hour",
    "SELECT * FROM live.ods_visit",
    "SELECT * FROM ods_visit",
    "SELECT * FROM main.sqlite_master",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM read_csv('{passwd}')",
    "SELECT * FROM '{passwd}'",
    "SELECT * FROM read_text('{passwd}')",
    "SELECT * FROM sqlite_scan('{db}', 'dws_footfall_hour')",
    "SELECT (SELECT count(*) FROM live.dws_footfall_hour)",
    "SELECT * FROM (SELECT site FROM dws_footfall_hour UNION ALL SELECT site FROM live.zones)",
    "WITH a AS (SELECT * FROM sqlite_scan('{db}', 'zones')) SELECT * FROM a",
    "WITH duckdb_views AS (SELECT * FROM duckdb_views) SELECT * FROM duckdb_views",
    "WITH a AS (SELECT * FROM duckdb_views), duckdb_views AS (SELECT 1) SELECT * FROM a",
    "WITH RECURSIVE duckdb_views AS (SELECT sql FROM duckdb_views UNION SELECT 1) SELECT * FROM duckdb_views",
    "SELECT * FROM duckdb_views, (WITH duckdb_views AS (SELECT 1) SELECT * FROM duckdb_views)",
    "SELECT * FROM (SHOW ALL TABLES)",
    "SELECT * FROM (SUMMARIZE live.dws_footfall_hour)",
    "SELECT {deep}",
    "SELECT * FROM query('SELECT * FROM live.zones')",
    "SELECT * FROM query_table('ods_visit')",
    "SELECT getenv('HOME')",
    "SELECT 1; SELECT 2",
    "DROP VIEW dws_footfall_hour",
    "ATTACH '{db}' AS again",
    "COPY (SELECT 1) TO '{out}'",
    "SET memory_limit = '9GB'",
    "PRAGMA database_list",
    "INSTALL httpfs",
    "CALL pragma_version()",
    "EXPLAIN ANALYZE SELECT * FROM live.zones",
    "SELEC 1",
    "",
]


@pytest.mark.parametrize(
    "query",
    [pytest.param(one, marks=[pytest.mark.slow] if place % 3 else []) for place, one in enumerate(FORBIDDEN)],
)
def test_only_a_select_over_the_list_is_answered(
    client: TestClient, settings: FleetSettings, tmp_path: Path, query: str
) -> None:
    out = tmp_path / "out.csv"
    deep = "abs(" * 600 + "1" + ")" * 600
    text = query.format(passwd="/etc/passwd", db=settings.warehouse, out=out, deep=deep)
    answer = client.post("/v1/sql", content=text, headers=as_user("north"))
    assert answer.status_code == 400 and answer.json()["error"], answer.text
    assert not out.exists()


def test_with_may_build_on_what_it_gave_before_and_count_up(client: TestClient) -> None:
    query = (
        "WITH RECURSIVE Told AS (SELECT SUM(entered) AS entered FROM dws_footfall_hour), "
        "up AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM UP WHERE n < (SELECT entered FROM told)) "
        "SELECT count(*) FROM up"
    )
    answer = client.post("/v1/sql", content=query, headers=as_user("all"))
    assert answer.json()["rows"] == [[12]], answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:8480"}, 200),
        ({"host": "127.0.0.1:8480", "origin": "http://127.0.0.1:8480"}, 200),
        ({"host": "shop.example"}, 200),
        ({"host": "of-somebody-else.example:8480"}, 403),
        ({"host": "192.0.2.7:8480"}, 403),
        ({"host": "127.0.0.1:8480", "origin": "http://of-somebody-else.example"}, 403),
        ({"host": "127.0.0.1:8480", "origin": "null"}, 403),
    ],
)
def test_without_users_no_page_of_somebody_else_is_answered(
    settings: FleetSettings, headers: dict[str, str], status: int
) -> None:
    here = msgspec.structs.replace(settings, users=[], board=BoardSettings(names=["shop.example"]))
    with TestClient(Api(here, Filler(here)).app, "http://127.0.0.1") as client:
        got = [
            client.get("/v1/answers/footfall", headers=headers),
            client.post("/v1/sql", content="SELECT 1", headers=headers),
            client.post("/v1/records", content="[]", headers=headers),
        ]
    assert {answer.status_code for answer in got[:2]} == {status}, got[0].text
    assert got[2].status_code == (202 if status == 200 else 403)


SLOW = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE hash(a.range) % 7 = b.range % 5"


def test_a_slow_query_is_stopped_in_time_and_others_are_answered_meanwhile(
    client: TestClient, settings: FleetSettings
) -> None:
    limit_s = 1.0
    service = SqlService(settings.warehouse, {}, Limits(seconds=limit_s))
    took: list[float] = []

    def slow() -> None:
        began_s = time.monotonic()
        with pytest.raises(FleetError, match="stopped after 1 s"):
            service.ask(SLOW, None)
        took.append(time.monotonic() - began_s)

    thread = threading.Thread(target=slow)
    thread.start()
    time.sleep(0.2)
    answers = 0
    while thread.is_alive():
        assert client.get("/v1/answers/footfall", headers=as_user("all")).status_code == 200
        answers += 1
    thread.join()
    assert answers >= 2
    assert took[0] < limit_s + 5.0, "half a second on a quiet machine"


def test_a_limit_that_is_reached_before_the_query_has_begun_stops_it_all_the_same(
    settings: FleetSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = SqlService(settings.warehouse, {}, Limits(seconds=0.5))
    check = service._check

    def late(*arguments: Any) -> None:
        check(*arguments)
        time.sleep(0.8)

    monkeypatch.setattr(service, "_check", late)
    began_s = time.monotonic()
    with pytest.raises(FleetError, match=r"stopped after 0.5 s"):
        service.ask(SLOW, None)
    assert time.monotonic() - began_s < 20.0


def test_memory_and_rows_have_a_limit(settings: FleetSettings) -> None:
    service = SqlService(settings.warehouse, {}, Limits(seconds=20, memory_mb=64, rows=10))
    with pytest.raises(FleetError, match=r"cannot be answered: Out of Memory"):
        service.ask("SELECT list(range::VARCHAR || 'x') FROM range(30000000)", None)
    answer = service.ask("SELECT * FROM range(11)", None)
    assert answer.is_cut and len(answer.rows) == 10


def test_the_replica_answers_where_the_warehouse_is_gone(client: TestClient, settings: FleetSettings) -> None:
    filler = Filler(settings)
    warehouse = Warehouse(settings.warehouse)
    filler.turn(warehouse)
    warehouse.close()
    for damage in (lambda: settings.warehouse.write_bytes(b"no database" * 999), settings.warehouse.unlink):
        damage()
        began_s = time.monotonic()
        told = client.get("/v1/answers/footfall?site=plaza", headers=as_user("all")).json()
        assert told["replica"] is True and told["rows"][0]["entered"] == 3
        assert time.monotonic() - began_s < 5.0
        query = client.post("/v1/sql", content="SELECT site FROM dws_footfall_hour", headers=as_user("all"))
        assert query.json()["replica"] is True and len(query.json()["rows"]) == 3


def test_records_are_on_disk_before_they_are_answered_for_and_only_of_ones_own_stores(
    client: TestClient, settings: FleetSettings
) -> None:
    body = b"[" + sale(NOON_S + 60) + b"]"
    assert client.post("/v1/records", content=body, headers=as_user("all")).status_code == 403
    other = client.post("/v1/records", content=body.replace(b"plaza", b"station"), headers=as_user("till"))
    assert other.status_code == 403 and "station" in other.json()["error"]
    bad = client.post("/v1/records", content=b'[{"kind":"sale","site":"plaza"}]', headers=as_user("till"))
    assert bad.status_code == 400 and "tagsight fleet schema" in bad.json()["error"]
    answer = client.post("/v1/records", content=body, headers=as_user("till"))
    assert (answer.status_code, answer.json()) == (202, {"taken": 1})
    warehouse = Warehouse(settings.warehouse)
    Filler(settings).turn(warehouse)
    assert rows(warehouse, "SELECT sku, quantity FROM ods_sale") == [("SHIRT", 1)]
    warehouse.close()


def test_a_source_that_does_not_go_is_told_and_the_others_are_read(
    settings: FleetSettings, tmp_path: Path
) -> None:
    more = tmp_path / "more.jsonl"
    more.write_bytes(event(footfall(9, rev=1), 2, Origin("plaza", "box")) + b"\n")
    broken = FleetSettings(
        warehouse=settings.warehouse, events=[tmp_path / "none.db"], files=[tmp_path / "gone.csv", more]
    )
    filler, warehouse = Filler(broken), Warehouse(settings.warehouse)
    filler.turn(warehouse)
    assert rows(warehouse, "SELECT entered FROM dws_footfall_hour WHERE site = 'plaza'") == [(9,)]
    assert len(filler.faults) == 2 and any("no event store there" in told for told in filler.faults.values())
    cloud = CloudStore(tmp_path / "none.db")
    cloud.take(Origin("plaza", "box"), [event(footfall(11, rev=2), 3, Origin("plaza", "box"))])
    cloud.close()
    filler.turn(warehouse)
    assert rows(warehouse, "SELECT entered FROM dws_footfall_hour WHERE site = 'plaza'") == [(11,)]
    assert len(filler.faults) == 1
    warehouse.close()


def test_the_description_names_every_question_and_every_record(client: TestClient) -> None:
    told = client.get("/openapi.json").json()
    asked = client.get("/v1/questions", headers=as_user("all")).json()
    assert {f"/v1/answers/{name}" for name in asked} <= set(told["paths"])
    assert {"Sale", "Stock", "DayPlan", "Record"} <= set(told["components"]["schemas"])
    text = json.dumps(told)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}:
        assert reference in told["components"]["schemas"]


def test_what_cannot_go_out_is_said_and_no_half_table_is_left(
    settings: FleetSettings, tmp_path: Path
) -> None:
    (tmp_path / "rubbish.db").write_bytes(b"no warehouse" * 1000)
    with pytest.raises(FleetError, match=r"rubbish\.db: cannot be .*not a database"):
        export(tmp_path / "rubbish.db", tmp_path / "out")
    (tmp_path / "out" / "dws_footfall_hour.parquet").mkdir()
    with pytest.raises(FleetError, match=r"cannot be written to .*out \(.*dws_footfall_hour"):
        export(settings.warehouse, tmp_path / "out")
    assert not [file for file in (tmp_path / "out").iterdir() if file.name.startswith(".")]


def test_tables_go_out_as_parquet_as_they_are_and_as_they_were_known(
    settings: FleetSettings, tmp_path: Path
) -> None:
    import duckdb

    def entered(folder: Path) -> list[Any]:
        return duckdb.sql(
            f"SELECT site, entered FROM '{folder}/dws_footfall_hour.parquet' ORDER BY site"
        ).fetchall()

    export(settings.warehouse, tmp_path / "now")
    assert entered(tmp_path / "now") == [("harbour", 4), ("plaza", 3), ("station", 5)]
    cloud = CloudStore(tmp_path / "events.db")
    cloud.take(Origin("plaza", "box"), [event(footfall(3), 1, Origin("plaza", "box"))])
    cloud.commit()
    between_s = time.time() + 0.002
    time.sleep(0.01)
    cloud.take(Origin("plaza", "box"), [event(footfall(8, rev=1), 2, Origin("plaza", "box"))])
    cloud.close()
    export_as_known(tmp_path / "events.db", between_s, tmp_path / "then")
    export_as_known(tmp_path / "events.db", time.time(), tmp_path / "later")
    assert entered(tmp_path / "then") == [("plaza", 3)]
    assert entered(tmp_path / "later") == [("plaza", 8)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("warehouse: w.db\ncolour: red\n", "fleet.yaml:2: colour: unknown field `colour`"),
        ("events: []\n", "fleet.yaml:1: warehouse: the key warehouse is missing"),
        ("warehouse: w.db\nhost: 0.0.0.0\n", "host: 0.0.0.0 lets everybody in; list users with tokens"),
        (
            f"warehouse: w.db\nusers: [{{name: a, chains: [x], token_sha256: '{'0' * 64}'}}]\n",
            "no chain is called 'x'; chains: none is given",
        ),
        ("warehouse: w.db\nsources: {a: b.xls}\n", "b.xls is neither .csv nor .parquet"),
        ("warehouse: w.db\nlimits: {seconds: 0}\n", "limits.seconds: 0 is wrong; "),
        ("warehouse: [\n", "not YAML: "),
        ("warehouse: 5\n", "warehouse: 5 is wrong; a path would be right"),
        ("", "the key warehouse is missing"),
    ],
)
def test_a_mistake_in_fleet_yaml_is_named_with_what_would_be_right(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    with pytest.raises(FleetError) as error:
        load(file)
    assert str(file) in str(error.value) and sentence in str(error.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_fills_answers_and_ends_on_a_signal(tmp_path: Path, number: int) -> None:
    cloud = CloudStore(tmp_path / "events.db")
    cloud.take(Origin("plaza", "box"), [event(footfall(7), 1, Origin("plaza", "box"))])
    cloud.close()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "fleet.yaml"
    config.write_text(
        f"warehouse: w.db\nevents: [events.db]\nport: {port}\nretention: {{visitor_days: 3650}}\n"
    )
    command = [sys.executable, "-m", "runtime", "fleet", "serve", "--config", str(config)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True)
    try:
        told = _answer(f"http://127.0.0.1:{port}/v1/answers/footfall", process)
        assert [row["entered"] for row in told["rows"]] == [7]
    finally:
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said and process.returncode == 0


def _answer(url: str, process: subprocess.Popen[str]) -> Any:
    """Once the rows are there."""
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as opened:
                told = json.load(opened)
            if told["rows"]:
                return told
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"no answer; the service ended with {process.poll()}")


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        settings = FleetSettings(warehouse=tmp_path / "w.db", port=taken_port.getsockname()[1])
        with pytest.raises(
            FleetError, match=r"cannot be listened on \(Address already in use\); give another port"
        ):
            serve(settings, 20.0)
