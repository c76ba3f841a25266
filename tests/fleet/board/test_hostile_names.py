"""Names that a shop, a till or a tag may bring are text on every page of the board, whatever is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.embedded.feeding import feed_file
from fleet.embedded.warehouse import Warehouse
from fleet.load import arrivals
from tests.console.browsing import chromium
from tests.fleet.board.serving import serving

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("duckdb", reason="the extra fleet is not installed")
pytestmark = pytest.mark.slow

HURT = "\"'></script></title><img src=x onerror=hurt()><svg onload=hurt()>"
NAMES = {"site", "device", "entrance", "zone", "origin", "destination", "sku", "fixture", "visitor", "room"}
NAMES |= {"camera", "process", "epc", "name"}
SHORT = HURT[:50]
"""A store's name has 64 characters at most."""
DAY = "2026-10-25"
PATHS = ("", "day", "week", "garments", "floor", "time-outs", "quality")


def hostile(said: Any) -> Any:
    """The same with hostile names."""
    if isinstance(said, list):
        return [hostile(one) for one in said]
    if not isinstance(said, dict):
        return said
    found = {}
    for name, value in said.items():
        if name == "site":
            found[name] = SHORT + value
        elif name in NAMES and isinstance(value, str):
            found[name] = HURT + value
        elif name == "zones" and isinstance(value, dict):
            found[name] = {HURT + zone: count for zone, count in value.items()}
        else:
            found[name] = hostile(value)
    return found


def test_no_name_becomes_a_part_of_a_page(tmp_path: Path) -> None:
    executable = chromium()
    arrivals.write(tmp_path / "plain.jsonl", stores=2, days=1, seed=11, visitors=60)
    with (tmp_path / "lines.jsonl").open("w") as out:
        for line in (tmp_path / "plain.jsonl").read_text().split("\n"):
            try:
                out.write(f"{json.dumps(hostile(json.loads(line)))}\n")
            except json.JSONDecodeError:
                continue
    warehouse = Warehouse(tmp_path / "w.db")
    feed_file(warehouse, tmp_path / "lines.jsonl")
    warehouse.close()
    complaints: list[str] = []
    with serving(tmp_path) as address, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        page.expose_function("hurt", lambda: complaints.append("it ran"))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(address)
        for path in PATHS:
            if path:
                page.click(f"nav a[href*='/{path}?']")
            page.goto(f"{page.url.partition('&day=')[0]}&day={DAY}" if "site=" in page.url else page.url)
            page.wait_for_selector("h1")
            page.wait_for_load_state("networkidle")
            assert "onerror=hurt()" in page.inner_text("body"), f"{path} has no name at all"
            strange = page.evaluate("document.querySelectorAll('[onerror], [onload], img[src=x]').length")
            assert (strange, complaints) == (0, []), path
        browser.close()
