"""The board's pages without a browser: who sees what, what is not known, what a page never says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

pytest.importorskip("starlette", reason="the extra fleet is not installed")
pytest.importorskip("duckdb", reason="the extra fleet is not installed")

from starlette.testclient import TestClient

from contract.envelope import Origin
from contract.facts import Coverage
from contract.shop import EntrancePlace, FixturePlace, ZonePlace
from fleet.board.app import LINKS, Board
from fleet.board.words import NONE
from fleet.embedded.warehouse import Warehouse
from fleet.serve.reading import Reading
from fleet.serve.rest import Api
from fleet.serve.settings import ApiUser, FleetSettings
from tests.fleet.lines import NOON_S, dwell, event, flip, footfall, sale, setup, taken, tryon

SITES = ("plaza", "harbour", "station")
DAY = "2026-10-25"
TOKENS = {"north": "north-token", "all": "all-token"}
BOX = ((0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0))
PLAN = {
    "entrances": (EntrancePlace("door", ((1.0, 5.0), (3.0, 5.0)), (2.0, 4.0)),),
    "zones": (ZonePlace("racks", "area", BOX), ZonePlace("hall", "area", tuple((x, y + 3) for x, y in BOX))),
    "fixtures": (FixturePlace("rack", "rack", ((2.0, 1.0),), "racks"),),
    "extent_m": (0.0, 0.0, 4.0, 6.0),
}


def user(name: str, **more: Any) -> ApiUser:
    return ApiUser(name=name, token_sha256=hashlib.sha256(TOKENS[name].encode()).hexdigest(), **more)


@pytest.fixture
def settings(tmp_path: Path) -> FleetSettings:
    taken(
        [event(setup("UTC", **PLAN))]
        + [event(footfall(3 + at), 1, Origin(site, "box")) for at, site in enumerate(SITES)]
        + [event(dwell()), event(flip()), event(tryon(NOON_S + 160)), sale(NOON_S + 4000)],
        Warehouse(tmp_path / "w.db"),
    ).close()
    return FleetSettings(warehouse=tmp_path / "w.db")


Open = Callable[..., TestClient]


@pytest.fixture
def browser(settings: FleetSettings) -> Open:
    """A browser that looks at `now_s`."""

    def opened(now_s: float = NOON_S + 7200, **more: Any) -> TestClient:
        own = replace(settings, **more)
        app = Board(own, Reading(own), lambda: now_s).app()
        address = "http://127.0.0.1:8480"
        return TestClient(app, base_url=address, follow_redirects=False, headers={"accept": "text/html"})

    return opened


def values(html: str, row: str = "") -> dict[str, str]:
    """What stands on a page under each name, or in one row of its tables."""
    if row:
        found = re.search(rf'<tr data-row="{re.escape(row)}".*?</tr>', html, re.S)
        assert found is not None, row
        html = found[0]
    return dict(re.findall(r'data-value="(\w+)"[^>]*>([^<]*)<', html)[::-1])


def sign_in(client: TestClient, token: str) -> Any:
    form = re.search(r'name="token" value="([0-9a-f]{64})"', client.get("/sign-in").text)
    assert form is not None
    fields = {"token": form[1], "secret": token, "next": "/day"}
    return client.post("/sign-in", data=fields, headers={"origin": "http://127.0.0.1:8480"})


def test_stores_stand_beside_one_another_with_what_was_not_seen(browser: Open) -> None:
    page = browser().get(f"/?day={DAY}").text
    assert [values(page, site)["entered"] for site in SITES] == ["3", "4", "5"]
    assert values(page)["entered"] == "12"
    assert values(page, "plaza")["blind"] == NONE, "no box told how its cameras saw: that is not none"
    assert "How well the cameras saw is not told." in page


@pytest.mark.parametrize("path", LINKS)
def test_every_page_says_how_far_its_counts_can_be_relied_on(browser: Open, path: str) -> None:
    answer = browser().get(f"{path}?site=plaza&day={DAY}")
    assert answer.status_code == 200 and "data-seen" in answer.text


@pytest.mark.parametrize("path", [*LINKS, "/floor/heat", "/sign-in"])
def test_no_script_and_no_style_stands_within_a_page(browser: Open, path: str) -> None:
    answer = browser(users=[user("all")] if path == "/sign-in" else []).get(f"{path}?site=plaza&day={DAY}")
    assert answer.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|<style|\son\w+=", answer.text)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy


def test_an_hour_that_no_camera_saw_is_unknown_and_not_empty(tmp_path: Path) -> None:
    blind = replace(
        footfall(0), quality="blind", coverage=(Coverage("cam", 0.0, 60.0, 10.0),), key="footfall:blind"
    )
    taken(
        [event(footfall(3, NOON_S - 3600)), event(blind)],
        Warehouse(tmp_path / "w.db"),
    ).close()
    own = FleetSettings(warehouse=tmp_path / "w.db")
    client = TestClient(Board(own, Reading(own), lambda: NOON_S).app(), base_url="http://127.0.0.1")
    page = client.get(f"/day?day={DAY}").text
    assert values(page, "11")["entered"] == "3"
    assert values(page, "12") == {"entered": "?", "left": "?", "persons_max": NONE, "blind": "not seen"}


def test_a_day_shows_the_way_from_the_rack_to_the_till(browser: Open) -> None:
    page = browser().get(f"/day?site=plaza&day={DAY}").text
    assert {key: values(page)[key] for key in ("entered", "handled", "tried_on", "bought")} == {
        "entered": "3",
        "handled": "1",
        "tried_on": "1",
        "bought": "1",
    }
    assert values(page, "racks")["stays"] == "1"


def test_what_did_not_happen_is_asked_as_of_the_moment_that_the_page_says(browser: Open) -> None:
    late = browser(NOON_S + 3600).get(f"/time-outs?site=plaza&day={DAY}&minutes=10").text
    assert values(late)["unbought"] == "1" and "As of 13:00" in late
    tomorrow = browser(NOON_S + 90_000).get(f"/time-outs?site=plaza&day={DAY}&minutes=120").text
    assert values(tomorrow)["unbought"] == "0", "it was bought within two hours"


def test_the_plan_is_drawn_as_the_box_told_it(browser: Open) -> None:
    page = browser().get(f"/floor?site=plaza&day={DAY}").text
    assert 'points="0,0 400,0 400,300 0,300"' in page and page.count('class="heat h') == 2
    before = browser().get("/floor?site=plaza&day=2026-10-01").text
    assert 'class="heat h' in before, "no plan held yet: the newest is shown"
    assert "This store has not told its plan" in browser().get("/floor?site=harbour").text
    css = browser().get("/floor/plan.css?site=plaza")
    assert ".plan text" in css.text and css.headers["content-type"].startswith("text/css")


def test_the_week_before_is_compared_by_days_that_are_told_in_both(tmp_path: Path) -> None:
    monday_s = NOON_S + 86_400  # 26 October
    counts = {-7: 10, -6: 90, 0: 20}
    told = [
        event(replace(footfall(count, monday_s + at * 86_400), key=f"footfall:{at}"))
        for at, count in counts.items()
    ]
    taken(told, Warehouse(tmp_path / "w.db")).close()
    own = FleetSettings(warehouse=tmp_path / "w.db")
    client = TestClient(Board(own, Reading(own), lambda: monday_s).app(), base_url="http://127.0.0.1")
    page = client.get("/week?day=2026-10-26").text
    assert values(page)["entered"] == "20" and "+100 %" in page
    assert values(page, "2026-10-27")["entered"] == NONE


def test_a_day_is_stepped_through_and_a_wrong_one_is_refused_in_a_sentence(browser: Open) -> None:
    client = browser()
    assert "24 October 2026" in client.get(f"/day?site=plaza&day={DAY}&step=-1").text
    for query, sentence in (
        ("day=27.2.2026", "is no day; give it as 2026-02-27"),
        ("day=2026-02-30", "is no day"),
        ("day=0001-01-01", "is no day"),
        ("day=9999-12-31", "is no day"),
        ("site=moon", "no store called moon is to be seen here"),
        ("minutes=soon", "a whole number from 1 to 1440 would be right"),
        ("hour=25", "a whole number from 0 to 24 would be right"),
    ):
        answer = client.get(f"/time-outs?{query}")
        text = answer.text.replace("&#39;", "'")
        assert answer.status_code == 400 and sentence in text, query


def test_the_newest_day_that_is_told_is_shown_first_and_none_that_is_to_come(
    browser: Open, settings: FleetSettings
) -> None:
    taken(
        [event(replace(footfall(9, NOON_S + 400 * 86_400), key="footfall:clock years off"))],
        Warehouse(settings.warehouse),
    ).close()
    today = date(2026, 10, 25) + timedelta(days=3)
    page = browser(NOON_S + 3 * 86_400).get("/day?site=plaza").text
    assert f"{today:%-d %B %Y}, so far" in page


def test_without_users_this_machine_looks_and_no_other_name_serves(browser: Open) -> None:
    assert browser().get("/").status_code == 200
    assert browser().get("/", headers={"host": "evil.example"}).status_code == 421
    assert browser().get("/sign-in").headers["location"] == "/"


def test_a_user_signs_in_with_the_token_and_sees_their_stores_only(browser: Open) -> None:
    client = browser(
        users=[user("north", chains=["north"]), user("all")], chains={"north": ["plaza", "harbour"]}
    )
    turned_away = client.get("/day")
    assert turned_away.status_code == 303 and turned_away.headers["location"].startswith("/sign-in")
    assert sign_in(client, "guessed").status_code == 401
    entered = sign_in(client, TOKENS["north"])
    assert (entered.status_code, entered.headers["location"]) == (303, "/day")
    page = client.get(f"/?day={DAY}").text
    assert "station" not in page and values(page)["entered"] == "7"
    for path in (*LINKS, "/floor/heat", "/floor/plan.css"):
        for asked in ("station", "stat", "STATION"):
            hidden = client.get(f"{path}?site={asked}&day={DAY}")
            assert hidden.status_code == 400 and f"no store called {asked} is to" in hidden.text, path
            assert "in their names" not in hidden.text
        seen = client.get(f"{path}?site=plaza&day={DAY}")
        assert seen.status_code == 200 and "station" not in seen.text, path
    assert client.get("/named?site=").text.split('"')[1::2] == ["harbour", "plaza"]
    assert client.get("/named?site=station").text == ""
    form = re.search(r'name="token" value="([0-9a-f]{64})"', page)
    assert form is not None
    ended = client.post("/sign-out", data={"token": form[1]}, headers={"origin": "http://127.0.0.1:8480"})
    assert ended.headers["location"] == "/sign-in" and client.get("/").status_code == 303


def test_among_many_stores_one_is_found_by_a_part_of_its_name(browser: Open, settings: FleetSettings) -> None:
    assert '<select name="site">' in browser().get("/day").text
    cities = [f"{city} {number}" for city in ("Oslo", "New Oslo", "Bern") for number in range(10)]
    taken([event(footfall(), 1, Origin(city, "b")) for city in cities], Warehouse(settings.warehouse)).close()
    client = browser()
    page = client.get("/day?site=plaza").text
    assert '<select name="site">' not in page and "Bern" not in page and 'value="plaza" list="named"' in page
    names = client.get("/named?site=oslo").text.split('"')[1::2]
    assert names == cities[:20], "those that begin with it come first"
    assert "<h1>Bern 7 " in client.get("/day?site=bern+7").text
    for asked, told in (("oslo", "; 20 have it in their names: Oslo 0, Oslo 1,"), ("+", "no store called")):
        answer = client.get(f"/day?site={asked}")
        assert answer.status_code == 400 and told in answer.text


def test_a_cookie_that_was_signed_out_or_whose_token_is_another_serves_no_more(
    browser: Open, settings: FleetSettings
) -> None:
    client = browser(users=[user("all")])
    sign_in(client, TOKENS["all"])
    cookie = dict(client.cookies)
    again = browser(users=[user("all")])
    again.cookies.update(cookie)
    assert again.get("/").status_code == 303, "a service that begins anew knows no old session"
    page = client.get("/").text
    form = re.search(r'name="token" value="([0-9a-f]{64})"', page)
    assert form is not None
    client.post("/sign-out", data={"token": form[1]}, headers={"origin": "http://127.0.0.1:8480"})
    client.cookies.clear()
    client.cookies.update(cookie)
    assert client.get("/").status_code == 303


def test_two_users_of_one_name_are_told_apart(browser: Open) -> None:
    first, second = user("north", sites=["plaza"]), user("all", sites=["station"])
    for token, count in ((TOKENS["north"], "3"), (TOKENS["all"], "5")):
        client = browser(users=[first, replace(second, name="north")])
        sign_in(client, token)
        assert values(client.get(f"/?day={DAY}").text)["entered"] == count


def test_the_copy_answers_where_the_warehouse_cannot_be_read_and_the_page_says_so(
    browser: Open, settings: FleetSettings, tmp_path: Path
) -> None:
    from fleet.embedded.replica import copy
    from fleet.serve.settings import Replica

    warehouse = Warehouse(settings.warehouse)
    copy(warehouse.db, tmp_path / "copy.db")
    warehouse.close()
    client = browser(replica=Replica(file=tmp_path / "copy.db"))
    settings.warehouse.unlink()
    page = client.get(f"/?day={DAY}").text
    assert "this is its copy" in page and values(page)["entered"] == "12"


def test_pages_and_answers_come_from_one_address(settings: FleetSettings) -> None:
    board = Board(settings, Reading(settings)).app()
    client = TestClient(Api(settings, None, board).app, base_url="http://127.0.0.1")
    assert client.get("/v1/questions").headers["content-type"] == "application/json"
    assert "Stores compared" in client.get("/").text


def test_before_anything_is_told_the_page_says_so(tmp_path: Path) -> None:
    Warehouse(tmp_path / "w.db").close()
    own = FleetSettings(warehouse=tmp_path / "w.db")
    client = TestClient(Board(own, Reading(own)).app(), base_url="http://127.0.0.1")
    answer = client.get("/day", headers={"accept": "text/html"})
    assert answer.status_code == 200 and "No store has told anything yet" in answer.text


def test_the_forecast_of_a_day_stands_beside_what_was_counted(
    settings: FleetSettings, tmp_path: Path
) -> None:
    import duckdb

    file = tmp_path / "forecast.parquet"
    rows = ", ".join(
        f"('{site}', '{door}', DATE '{day}', 12, {expected}, {expected - 1}, {expected + 2})"
        for site, door, day, expected in (
            ("plaza", "door", DAY, 4),
            ("plaza", "back", DAY, 3),
            ("plaza", "door", "2026-10-26", 50),
            ("harbour", "door", DAY, 90),
        )
    )
    columns = "site, entrance, local_day, local_hour, expected, low, high"
    with duckdb.connect() as db:
        db.execute(f"COPY (SELECT * FROM (VALUES {rows}) AS told ({columns})) TO '{file}' (FORMAT parquet)")
    own = replace(settings, forecast=file)
    client = TestClient(Board(own, Reading(own), lambda: NOON_S).app(), base_url="http://127.0.0.1")
    page = client.get(f"/day?site=plaza&day={DAY}").text
    assert values(page)["expected"] == "7", "through both entrances, on this day, of this store"
    assert values(page, "12")["expected"] == "7"
    assert re.findall(r'data-n="([\d.]+)">\d+</td>', values_of_row(page, "12"))[-2:] == ["5", "11"]
    assert values(client.get(f"/week?site=plaza&day={DAY}").text, DAY)["expected"] == "7"
    file.write_text("no Parquet")
    refused = client.get(f"/day?site=plaza&day={DAY}", headers={"accept": "text/html"})
    assert refused.status_code == 400 and "forecast.parquet: no forecast" in refused.text


def values_of_row(html: str, row: str) -> str:
    found = re.search(rf'<tr data-row="{row}".*?</tr>', html, re.S)
    assert found is not None
    return found[0]
