"""The guide in a real browser, the command as a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.console.browsing import chromium

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytest.importorskip("argon2", reason="the extra mirror is not installed")
pytestmark = pytest.mark.slow
WITHIN_S = 120.0


def opened(page: Any, address: str) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        try:
            page.goto(address)
            return
        except playwright.Error:
            assert time.monotonic() < deadline_s, "the guide does not answer"
            time.sleep(0.2)


def test_coupons_stand_in_their_order_and_anybody_can_read_them(tmp_path: Path) -> None:
    executable = chromium()
    hurt = "<img src=x onerror=alert(1)>"
    listed = f"coupon,site,title,redeemed\nA,plaza,{hurt}Ten off coats,2\nB,{hurt},Five off shoes,40\n"
    (tmp_path / "coupons.csv").write_text(listed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = f"fleet guide --coupons {tmp_path / 'coupons.csv'} --folder {tmp_path / 'g'} --port {port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime", *arguments.split()],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    complaints: list[str] = []
    try:
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            page = browser.new_page()
            page.set_default_timeout(WITHIN_S * 1000)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
            opened(page, f"http://127.0.0.1:{port}/")
            titles = [one.inner_text() for one in page.query_selector_all("#coupons h2")]
            assert titles == ["Five off shoes", f"{hurt}Ten off coats"]
            assert hurt in page.inner_text("body") and page.locator("img[src=x]").count() == 0
            found = axe.Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.context.cookies() == []
            browser.close()
    finally:
        process.terminate()
    assert process.wait(WITHIN_S) == 0
    assert not complaints
