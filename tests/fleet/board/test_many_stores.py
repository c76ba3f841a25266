"""A store among many is found by typing, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.envelope import Origin
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import Line
from tests.console.browsing import chromium
from tests.fleet.board.serving import serving
from tests.fleet.lines import event, footfall

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytest.importorskip("duckdb", reason="the extra fleet is not installed")
pytestmark = pytest.mark.slow


def test_a_store_among_many_is_found_by_typing(tmp_path: Path) -> None:
    executable = chromium()
    warehouse = Warehouse(tmp_path / "w.db")
    bodies = [event(footfall(number), 1, Origin(f"store {number:04}", "box")) for number in range(3000)]
    warehouse.take("test", [Line(at, body) for at, body in enumerate(bodies, 1)])
    warehouse.close()
    with serving(tmp_path) as address, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        complaints: list[str] = []
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(f"{address}/day")
        box = page.get_by_label("Store")
        box.fill("277")
        page.wait_for_selector("#named option", state="attached")
        names = page.eval_on_selector_all("#named option", "all => all.map(one => one.value)")
        assert names == [
            "store 0277",
            "store 1277",
            "store 2277",
            *(f"store 277{last}" for last in range(10)),
        ]
        box.fill("store 1277")
        box.press("Enter")
        page.wait_for_selector("h1:has-text('store 1277')")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert complaints == [] and len(page.content()) < 40_000, "no page lists all of them"
        browser.close()
