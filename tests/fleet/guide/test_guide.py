"""Which coupons stand first, and why; who stands before the screen has no part in it."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from contract.envelope import Origin, encode_event
from contract.facts import Heatmap, Visit
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.guide.coupons import coupons
from fleet.guide.pages import GuidePages, ranked
from fleet.guide.ranking import CouponSignals, CouponWeights, scores
from fleet.guide.shops import ShopFigures, shops
from fleet.ingest.sources import Line

TODAY = date(2026, 11, 2)
DAY_S = 1_792_886_400.0
LIST = """coupon,site,title,value,redeemed,until
A,plaza,Ten off coats,10,2,
B,harbour,Five off shoes,5,40,2026-12-31
C,plaza,Gone,99,900,2026-11-01
D,harbour,Free socks,,2,2026-11-02
"""


def listed(tmp_path: Path, text: str = LIST) -> Path:
    file = tmp_path / "coupons.csv"
    file.write_text(text)
    return file


def test_redemptions_come_first_then_heat_and_value_and_what_is_over_is_left_out(tmp_path: Path) -> None:
    known = coupons(listed(tmp_path))
    assert [one.coupon for one in ranked(known, {}, TODAY)] == ["B", "A", "D"]
    busy = {"harbour": ShopFigures(9e6, 0.9), "plaza": ShopFigures(10.0, 0.01)}
    assert [one.coupon for one in ranked(known, busy, TODAY)] == ["B", "D", "A"]
    assert [one.coupon for one in ranked(known, busy, date(2026, 11, 3))] == ["B", "A"]
    assert ranked([], {}, TODAY) == ()


def test_attributes_count_only_where_their_term_is_turned_on_and_it_is_off() -> None:
    nothing = np.full(3, np.nan)
    signals = CouponSignals(np.array([5.0, 3, 1]), nothing, nothing, nothing, np.array([0.0, 0, 50]))
    assert CouponWeights().band == 0
    assert np.argsort(-scores(signals)).tolist() == [0, 1, 2]
    assert scores(signals).tolist() == scores(signals._replace(by_band=nothing)).tolist()
    assert np.argmax(scores(signals, CouponWeights(band=3.0))) == 2


def test_what_is_unknown_is_the_middle_and_not_nought() -> None:
    nothing = np.full(3, np.nan)
    signals = CouponSignals(np.zeros(3), nothing, np.array([0.1, np.nan, 0.3]), nothing, nothing)
    assert np.argsort(-scores(signals)).tolist() == [2, 1, 0]


def test_heat_and_conversion_come_from_a_warehouse(tmp_path: Path) -> None:
    lines = []
    for number in range(4):
        at_s = DAY_S + 3600 * number
        visit = Visit(
            key=f"visit/{number}",
            time_s=at_s,
            visitor=f"v{number}",
            direction="in",
            entrance="door",
            stay_s=None,
        )
        heat = Heatmap(
            key=f"heat/{number}",
            time_s=at_s,
            start_s=at_s - 3600,
            end_s=at_s,
            zones={"racks": 100.0},
            cells=[],
            origin_m=(0.0, 0.0),
            cell_m=0.5,
        )
        for fact in (visit, heat):
            seq = len(lines) + 1
            lines.append(Line(seq, encode_event(fact, Origin("plaza", "box"), seq, at_s, "s"), at_s))
    sale = b'{"kind":"sale","site":"plaza","key":"1/1","time_s":%d,"sku":"COAT"}' % (DAY_S + 7200)
    lines.append(Line(len(lines) + 1, sale, DAY_S + 7200))
    warehouse = Warehouse(tmp_path / "warehouse.db")
    warehouse.take("test", lines)
    warehouse.close()
    found = shops(tmp_path / "warehouse.db")
    assert (found["plaza"].conversion, found["plaza"].heat_person_s) == (0.25, 400.0)
    with pytest.raises(FleetError, match="no warehouse there"):
        shops(tmp_path / "none.db")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("coupon,title\n", "coupon, site and title are needed"),
        ("coupon,site,title,colour\n", "coupon, site and title are needed"),
        ("coupon,site,title,value\nA,p,t,-1\n", "row 1: .*value"),
        ("coupon,site,title,until\nA,p,t,soon\n", "row 1: .*until"),
        ("coupon,site,title\nA,p,t\nA,p,u\n", "coupon 'A' is there twice"),
    ],
)
def test_a_list_that_is_wrong_is_said(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(FleetError, match=told):
        coupons(listed(tmp_path, text))


def test_the_page_follows_the_list_and_keeps_the_last_good_one(tmp_path: Path) -> None:
    pytest.importorskip("argon2", reason="the extra mirror is not installed")
    file = listed(tmp_path)
    pages = GuidePages(file, None, tmp_path / "guide", lambda: TODAY)
    client = TestClient(pages.app(), base_url="http://127.0.0.1:8091")
    text = client.get("/").text
    assert text.index("Five off shoes") < text.index("Ten off coats") < text.index("Free socks")
    assert "Gone" not in text and "set-cookie" not in client.get("/").headers
    file.write_text("coupon,site,title\nE,plaza,<b>New</b>\n")
    assert "&lt;b&gt;New" in client.get("/", headers={"HX-Request": "true"}).text
    file.write_text("rubbish\n")
    assert "New" in client.get("/").text
    assert client.get("/health").json()["state"] == "degraded"
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_an_address_that_is_taken_is_said(tmp_path: Path) -> None:
    pytest.importorskip("argon2", reason="the extra mirror is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["--coupons", str(listed(tmp_path)), "--folder", str(tmp_path / "g"), "--port", str(port)]
        command = [sys.executable, "-m", "runtime", "fleet", "guide", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert f"127.0.0.1:{port}: cannot be listened on" in done.stderr


@pytest.mark.parametrize("row", ["A,plaza,T,inf,2,", f"A,plaza,T,1,{'9' * 400},"])
def test_a_number_that_no_coupon_has_is_said_with_its_row(tmp_path: Path, row: str) -> None:
    with pytest.raises(FleetError, match="row 1: "):
        coupons(listed(tmp_path, f"coupon,site,title,value,redeemed,until\n{row}\n"))
