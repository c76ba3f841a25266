"""The board in a real browser over a made-up fleet: true in every value, readable by all, quiet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fleet.embedded.feeding import feed_file
from fleet.embedded.warehouse import Warehouse
from fleet.load import arrivals
from tests.console.browsing import chromium, disagreements, falsified
from tests.console.daemon import WITHIN_S, wait_until
from tests.fleet.board.said import SCRIPT, Said
from tests.fleet.board.serving import serving

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytest.importorskip("duckdb", reason="the extra fleet is not installed")
pytestmark = pytest.mark.slow

SITE, ZONE, DAY = "s0001", "Europe/Berlin", "2026-10-27"
"""The second day of that shop's winter time; the shop has two doors."""
PATHS = ("", "day", "week", "garments", "floor", "time-outs", "quality")


@dataclass
class Served:
    """A service, its warehouse, and a browser that notes complaints."""

    address: str
    db: Path
    browser: Any
    complaints: list[str]

    def page(self, path: str, query: str = "", **options: Any) -> Any:
        page = self.browser.new_context(**options).new_page()
        page.set_default_timeout(WITHIN_S * 1000)
        page.on("pageerror", lambda error: self.complaints.append(f"{path}: {error}"))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        page.goto(f"{self.address}/{path}?site={SITE}&day={DAY}{query}")
        page.wait_for_selector("h1")
        return page

    def said(self) -> Said:
        return Said(self.db, SITE, DAY, ZONE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    executable = chromium()
    folder = tmp_path_factory.mktemp("fleet")
    arrivals.write(folder / "lines.jsonl", stores=3, days=5, seed=11, visitors=60)
    warehouse = Warehouse(folder / "w.db")
    feed_file(warehouse, folder / "lines.jsonl")
    warehouse.close()
    with serving(folder) as address, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield Served(address, folder / "w.db", browser, [])
        browser.close()


def _days(count: int, last: str = DAY) -> list[str]:
    end = date.fromisoformat(last)
    return [(end - timedelta(days=back)).isoformat() for back in reversed(range(count))]


def _expected(served: Served, path: str) -> dict[str, str]:
    said = served.said()
    day_ends_s = datetime(2026, 10, 28, tzinfo=ZoneInfo(ZONE)).timestamp()
    found: dict[str, dict[str, str]] = {
        "": said.stores(),
        "day": said.of_day(),
        "week": said.week(_days(7, "2026-11-01")),
        "garments": said.garments(),
        "floor": said.floor(),
        "time-outs": said.time_outs(30, min(time.time(), day_ends_s + 1800)),
        "quality": said.quality(_days(14)),
    }
    return found[path]


@pytest.mark.parametrize("path", PATHS)
def test_each_value_on_a_page_is_what_answers_says(served: Served, path: str) -> None:
    page = served.page(path)
    shown, said = page.evaluate(SCRIPT), _expected(served, path)
    assert len(said) > 5 and disagreements(shown, said) == []
    for key, value in shown.items():
        assert disagreements({**shown, key: falsified(value)}, said), f"a false {key} would pass"
    page.context.close()


def test_the_slider_shows_an_hour_of_the_floor(served: Served) -> None:
    page = served.page("floor")
    page.locator("input[name=hour]").fill("15")
    page.wait_for_selector("#heat h2:has-text('from 15:00')")
    assert disagreements(page.evaluate(SCRIPT), served.said().floor(15)) == []
    assert page.locator("#heat .heat").count() == 6 and page.locator("#heat .way").count() >= 1
    page.context.close()


@pytest.mark.parametrize("path", ["day", "week"])
def test_a_chart_draws_what_its_table_says(served: Served, path: str) -> None:
    page = served.page(path)
    page.wait_for_selector(".chart canvas")
    lit = """() => { const canvas = document.querySelector('.chart canvas');
      const accent = getComputedStyle(document.documentElement).getPropertyValue('--accent').trim();
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(accent.slice(at, at + 2), 16));
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let found = 0;
      for (let at = 0; at < data.length; at += 4)
        if (Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 12) found += 1;
      return found / (data.length / 4); }"""
    wait_until(lambda: page.evaluate(lit) > 0.03)  # bars in the accent's colour
    page.evaluate("for (const cell of document.querySelectorAll('td[data-n]')) cell.dataset.n = '';")
    page.set_viewport_size({"width": 900, "height": 800})
    wait_until(lambda: page.evaluate(lit) < 0.005)  # no figures, no bars
    page.context.close()


def test_another_store_and_day_are_a_choice_away(served: Served) -> None:
    page = served.page("day")
    page.select_option("select[name=site]", "s0002")
    page.wait_for_url("**site=s0002**")
    page.get_by_label("The day after").click()
    page.wait_for_selector("h1:has-text('28 October 2026')")
    page.get_by_role("link", name="Week").click()
    page.wait_for_url("**/week?*site=s0002**")
    page.wait_for_selector("h1:has-text('s0002')")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(served: Served, scheme: str) -> None:
    for path in PATHS:
        page = served.page(path, color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        serious = [
            f"{path} {one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:3]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
        page.context.close()


def test_a_phone_shows_all_without_scrolling_sideways(served: Served) -> None:
    for path in PATHS:
        page = served.page(path, viewport={"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        page.context.close()


def test_across_a_room_the_counts_are_large(served: Served) -> None:
    """A screen of 1.1 m width at 5 m: 1.5 cm of digit height and more (0.3 % of the distance)."""
    page = served.page("", viewport={"width": 1920, "height": 1080})
    size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.wall .big')).fontSize)")
    digit_m = 0.7 * size * 1.1 / 1920
    assert digit_m / 5.0 > 0.003
    page.context.close()


def test_the_browser_has_nothing_to_complain_about(served: Served) -> None:
    for path in PATHS:
        page = served.page(path)
        page.wait_for_load_state("networkidle")
        page.context.close()
    assert served.complaints == []
