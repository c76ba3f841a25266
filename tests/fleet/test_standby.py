"""Another process goes on where the service dies, also where the warehouse died with it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from contract.envelope import Origin
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest.consumer.store import CloudStore
from fleet.serve.service import serve
from fleet.serve.settings import FleetSettings, Replica
from testing.fleet import FleetProcess, ask, free_address, wait_for_rows

from .lines import event, footfall, rows, taken

pytest.importorskip("starlette", reason="the extra fleet is not installed")

BOX = Origin("plaza", "box")


def entered(count: int) -> Any:
    return lambda found: [row["entered"] for row in found] == [count]


def tell(folder: Path, seq: int, count: int) -> None:
    cloud = CloudStore(folder / "events.db")
    cloud.take(BOX, [event(footfall(count, rev=seq - 1), seq, BOX)])
    cloud.close()


@pytest.mark.slow
def test_the_one_that_stands_by_takes_over_after_kill_9_with_and_without_the_warehouse(
    tmp_path: Path,
) -> None:
    tell(tmp_path, 1, 7)
    port = free_address()
    config = tmp_path / "fleet.yaml"
    config.write_text(
        f"warehouse: w.db\nevents: [events.db]\nport: {port}\nreplica: {{file: copy.db, every_s: 1}}\n"
    )
    with ExitStack() as stack:
        first = stack.enter_context(FleetProcess(config, port))
        wait_for_rows(port, "footfall", entered(7))
        second = stack.enter_context(FleetProcess(config, port, "--standby"))
        second.wait_for("standing by")
        first.kill()
        wait_for_rows(port, "footfall", entered(7))
        tell(tmp_path, 2, 9)
        wait_for_rows(port, "footfall", entered(9))
        assert (tmp_path / "copy.db").exists()
        third = stack.enter_context(FleetProcess(config, port, "--standby"))
        third.wait_for("standing by")
        second.kill()
        for file in tmp_path.glob("w.db*"):
            file.unlink()
        wait_for_rows(port, "footfall", entered(9))
        tell(tmp_path, 3, 11)
        wait_for_rows(port, "footfall", entered(11))
        assert not ask(port, "/v1/answers/footfall")["replica"], "the warehouse itself is there again"
        fourth = stack.enter_context(FleetProcess(config, port, "--standby"))
        fourth.wait_for("standing by")
        assert fourth.close() == 0, "one that waits ends as orderly as one that serves"
        assert third.close() == 0


def test_a_warehouse_that_is_gone_goes_on_from_its_copy_and_from_where_that_was(tmp_path: Path) -> None:
    copy = taken([event(footfall(5))], Warehouse(tmp_path / "copy.db"))
    copy.close()
    settings = FleetSettings(
        warehouse=tmp_path / "w.db", replica=Replica(file=tmp_path / "copy.db"), port=free_address()
    )
    serve(settings, 0.5)
    warehouse = Warehouse(tmp_path / "w.db")
    assert rows(warehouse, "SELECT entered FROM dws_footfall_hour") == [(5,)]
    assert warehouse.progress("test") == 1
    warehouse.close()


def test_a_copy_that_is_no_warehouse_is_said_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("no database at all, and long enough to be looked at as one" * 20)
    settings = FleetSettings(
        warehouse=tmp_path / "w.db", replica=Replica(file=tmp_path / "copy.db"), port=free_address()
    )
    with pytest.raises(FleetError, match="cannot be made"):
        serve(settings, 0.5)
    assert not (tmp_path / "w.db").exists()


@pytest.mark.parametrize(
    ("host", "port", "sentence"),
    [
        ("192.0.2.1", 8480, "192.0.2.1:8480: cannot be listened on .*set host to an address of this machine"),
        ("127.0.0.1", 0, "port: 0 is free at any time"),
    ],
)
def test_waiting_that_would_not_help_is_refused(tmp_path: Path, host: str, port: int, sentence: str) -> None:
    with pytest.raises(FleetError, match=sentence):
        serve(FleetSettings(warehouse=tmp_path / "w.db", host=host, port=port), 0.1, standby=True)
