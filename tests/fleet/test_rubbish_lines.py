"""A wrong line, file or byte costs itself: what else came is taken in, and the thread that takes it lives."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.embedded.feeding import feed_file
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest.consumer.store import CloudStore
from fleet.serve.filling import UNFORESEEN, Filler, in_background
from fleet.serve.settings import FleetSettings
from tests.fleet.lines import NOON_S, ORIGIN, event, footfall, rows, taken

HUGE = 2**63 - 1
HEADER = b"site,key,sku,time_s\n"
ENTERED = "SELECT entered FROM dws_footfall_hour"


def changed(key: str, **more: Any) -> bytes:
    return json.dumps({**json.loads(event(footfall(3))), "key": key, **more}).encode()


def gap(*ranges: tuple[int, int]) -> bytes:
    told = {"kind": "gap", "from_seq": 1, "to_seq": 2, "why": "full", "events": 1, "ranges": ranges}
    return changed("gap/1", **told)


@pytest.mark.parametrize(
    "strange",
    [
        [changed("a", entered=HUGE), changed("b", entered=HUGE)],
        [changed("a", entered=10**30)],
        [changed("a", rev=10**30)],
        [gap((1, 2**53), (1, 2**53))],
        [gap(*[(1, 10**12)] * 50)],
    ],
)
def test_a_number_that_no_shop_has_is_left_out_and_the_rest_of_the_batch_is_summed(
    strange: list[bytes],
) -> None:
    warehouse = taken([*strange, event(footfall(3))])
    assert rows(warehouse, ENTERED) == [(3,)]
    assert warehouse.counters()["unreadable"] == len(strange)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (HEADER + b"plaza,k,caf\xe9,1792929600\n", "cannot be read as CSV"),
        (HEADER.decode().encode("utf-16"), "UTF-8 with commas would be right"),
        (HEADER + b"plaza,k," + b"s" * 200_000 + b",1792929600\n", "field larger than field limit"),
        (HEADER + b"plaza,k,s,1792929600,9,9\n", "row 1: has more cells than the header has names"),
        (HEADER + b"plaza,k,s,1e300\n", "row 1: Expected `float` <= "),
    ],
)
def test_a_csv_that_is_none_is_said_in_a_sentence(tmp_path: Path, body: bytes, sentence: str) -> None:
    file = tmp_path / "sales.csv"
    file.write_bytes(body)
    with pytest.raises(FleetError) as error:
        feed_file(Warehouse(":memory:"), file)
    assert str(file) in str(error.value) and sentence in str(error.value)


def filled(settings: FleetSettings, wanted: Callable[[Filler], bool]) -> Filler:
    """What a running filler came to."""
    filler = Filler(settings)
    thread = in_background(filler)
    until_s = time.monotonic() + 30
    try:
        while not wanted(filler) and time.monotonic() < until_s:
            time.sleep(0.02)
        assert thread.is_alive(), "the thread has ended"
        return filler
    finally:
        filler.stopping.set()
        filler.wake.set()
        thread.join(10)


def test_a_store_that_rots_under_the_service_is_said_and_other_sources_go_on(tmp_path: Path) -> None:
    cloud = CloudStore(tmp_path / "events.db")
    cloud.take(ORIGIN, [event(footfall(at, rev=at), at + 1) for at in range(5)])
    cloud.close()
    settings = FleetSettings(
        warehouse=tmp_path / "w.db",
        events=[tmp_path / "events.db"],
        files=[tmp_path / "more.jsonl"],
        refresh_s=0.05,
    )
    (tmp_path / "more.jsonl").write_bytes(b"")
    filled(settings, lambda filler: filler.taken == 5)
    sqlite3.connect(tmp_path / "events.db").execute("PRAGMA journal_mode=DELETE")
    body = (tmp_path / "events.db").read_bytes()
    (tmp_path / "events.db").write_bytes(body[:4096] + b"\x55" * (len(body) - 4096))
    (tmp_path / "more.jsonl").write_bytes(event(footfall(9, NOON_S + 3600, rev=9)) + b"\n")
    filler = filled(settings, lambda filler: filler.taken == 1 and bool(filler.faults))
    assert filler.taken == 1 and "cannot be read (" in filler.faults[str(tmp_path / "events.db")]


def test_a_fault_that_nobody_foresaw_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError("nobody thought of it")

    file = tmp_path / "more.jsonl"
    file.write_bytes(event(footfall(4)) + b"\n")
    settings = FleetSettings(warehouse=tmp_path / "w.db", files=[file], refresh_s=0.05)
    with monkeypatch.context() as patched:
        patched.setattr("fleet.serve.filling.feed_file", broken)
        filler = filled(settings, lambda filler: bool(filler.faults))
    assert "nobody thought of it" in filler.faults[UNFORESEEN]
    assert not filled(settings, lambda filler: filler.taken == 1).faults
