"""The whole mirror in a real browser: a box's outbox, the command as a process, no uplink."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from runtime.uplink.outbox.writer import Outbox
from tests.console.browsing import chromium
from tests.fleet.mirror.shop import GARMENTS, a_catalogue, an_outbox, told, tryon

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = pytest.mark.slow
WITHIN_MS = 120_000
LOADS = 3
"""A garment may take a second, and on a busy machine as long as so many pages take to load."""
PICTURE_WIDTH = "async (image) => { await image.decode(); return image.naturalWidth; }"
HURT = "<img src=x onerror=alert(1)>"


class Mirror:
    """A mirror that runs, and a browser before it."""

    def __init__(self, folder: Path, browser: Any) -> None:
        self.outbox: Outbox = an_outbox(folder)
        catalogue = a_catalogue(folder / "shop", GARMENTS.replace("Plain handbag", f"{HURT}handbag"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        arguments = (
            f"fleet mirror --catalogue {catalogue} --events {folder / 'outbox.db'} --folder {folder / 'm'}"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "runtime", *arguments.split(), "--room", "room 1", "--port", str(port)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(2)]
        self.room, self.staff = (re.findall(r"http://\S+", line)[0] for line in lines)
        self.complaints: list[str] = []
        self._context = browser.new_context()
        self._context.set_default_timeout(WITHIN_MS)

    def open(self, address: str) -> Any:
        page = self._context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        deadline_s = time.monotonic() + WITHIN_MS / 1000
        while True:
            try:
                page.goto(address)
                return page
            except playwright.Error:
                assert time.monotonic() < deadline_s, "the mirror does not answer"
                time.sleep(0.2)

    def close(self) -> int:
        self._context.close()
        self.outbox.close(5.0)
        self.process.terminate()
        return self.process.wait(WITHIN_MS / 1000)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    executable = chromium()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        opened = Mirror(tmp_path, browser)
        yield opened
        opened.close()
        browser.close()


def seconds_until(page: Any, selector: str) -> float:
    begun = time.monotonic()
    page.wait_for_selector(selector)
    return time.monotonic() - begun


def seconds_to_load(page: Any) -> float:
    """A page anew: what this machine takes for it now."""
    begun = time.monotonic()
    page.reload()
    return time.monotonic() - begun


def test_a_garment_is_on_the_screen_within_a_second_and_gone_with_its_visitor(mirror: Mirror) -> None:
    page, staff = mirror.open(mirror.room), mirror.open(mirror.staff)
    page.wait_for_selector("#empty")
    seconds, loads = [], []
    for number in range(1, 6):
        told(mirror.outbox, tryon("COAT-1", number=number))
        seconds.append(seconds_until(page, "#title"))
        if number < 5:
            told(mirror.outbox, tryon("COAT-1", number=number, open=False, rev=1))
            page.wait_for_selector("#empty")
            loads.append(seconds_to_load(staff))
    assert median(seconds) < 1.0 + LOADS * median(loads), (seconds, loads)
    assert page.inner_text("#title") == "Black coat"
    assert page.inner_text("#price") == "90.00 EUR"
    assert page.inner_text("#sizes") == "S, M, L"
    assert page.inner_text("#discount") == "25 % off"
    assert page.locator(".tried img").evaluate(PICTURE_WIDTH) == 28
    assert [one.inner_text().split("\n")[0] for one in page.query_selector_all("#with li")][:2] == [
        "Ankle boots",
        f"{HURT}handbag",
    ]
    for each in (page, staff):
        found = axe.Axe().run(each)
        assert found.violations_count == 0, found.generate_report()
    page.click("#call")
    page.wait_for_selector("#called")
    staff.wait_for_selector("text=somebody is wanted")
    staff.click("text=I am coming")
    page.wait_for_selector("#call")
    told(mirror.outbox, tryon("COAT-1", number=5, open=False, rev=1))
    page.wait_for_selector("#empty")
    assert "Black coat" not in page.content()
    staff.wait_for_selector("text=No garment is in a fitting room")
    assert page.context.cookies() == []
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert not [said for said in ("coat", "COAT", "3034257bf4", "visitor") if said in stored], stored
    assert not mirror.complaints
    assert mirror.close() == 0
