"""Takes the pictures of the board: docs/pictures/board-*.webp.

    ./scripts/screenshots

Some weeks of a made-up chain go into a warehouse, a forecast is made before the last of them come, and a real
browser looks at every page.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from fleet.embedded.feeding import feed
from fleet.embedded.warehouse import Warehouse
from fleet.ingest.sources import Line
from fleet.load import arrivals
from fleet.load.diary import DAY_S

sys.path.insert(0, str(Path(__file__).parent))
from screenshots import PHONE, save

STORES, DAYS, SEED, VISITORS = 6, 21, 4, 70
FORECAST_AFTER_DAYS = 17.5
SITE, DAY = "s0003", "2026-11-12"
WALL = {"width": 1440, "height": 900}
PAGES = {
    "": "stores",
    "day": "day",
    "week": "week",
    "garments": "garments",
    "floor": "floor",
    "time-outs": "time-outs",
}
START_S = 60.0


def main() -> None:
    """Write every picture into the folder."""
    folder = Path(sys.argv[1])
    with ExitStack() as stack:
        box = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagsight-board-")))
        address = _serve(box, stack)
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(
            executable_path=os.environ["TAGSIGHT_CHROMIUM"], args=["--no-sandbox"]
        )
        stack.callback(browser.close)
        wide = browser.new_context(viewport=WALL).new_page()
        for path, name in PAGES.items():
            _look(wide, f"{address}/{path}", folder / f"board-{name}.webp")
        phone = browser.new_context(viewport=PHONE, color_scheme="dark", device_scale_factor=1.5).new_page()
        _look(phone, f"{address}/day", folder / "board-phone.webp")


def _serve(box: Path, stack: ExitStack) -> str:
    """A service over a chain's weeks; its address."""
    lines = box / "lines.jsonl"
    arrivals.write(lines, stores=STORES, days=DAYS, seed=SEED, visitors=VISITORS)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (box / "fleet.yaml").write_text(f"warehouse: w.db\nforecast: forecast.parquet\nport: {port}\n")
    until_s = arrivals.FIRST_DAY_S + FORECAST_AFTER_DAYS * DAY_S
    early, late = [], []
    for number, body in enumerate(lines.read_bytes().splitlines(), 1):
        received_s = float(body.partition(b":")[2].partition(b",")[0])
        (early if received_s < until_s else late).append((number, body))
    warehouse = Warehouse(box / "w.db")
    feed(warehouse, "before", iter([Line(*one) for one in early]))
    _tagsight(
        "fleet",
        "forecast",
        "--db",
        box / "w.db",
        "--days",
        7,
        "--model",
        "median",
        "--out",
        box / "forecast.parquet",
    )
    feed(warehouse, "after", iter([Line(*one) for one in late]))
    warehouse.close()
    command = [sys.executable, "-m", "runtime", "fleet", "serve", "--config", str(box / "fleet.yaml")]
    process = subprocess.Popen(command)  # noqa: S603 (this interpreter, this program)
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)
    address = f"http://127.0.0.1:{port}"
    ends_s = time.monotonic() + START_S
    while time.monotonic() < ends_s:
        with suppress(OSError), urllib.request.urlopen(f"{address}/v1/health", timeout=5):  # noqa: S310 (ours)
            return address
        time.sleep(0.2)
    raise RuntimeError("the service did not begin")


def _tagsight(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "runtime", *map(str, words)], check=True)  # noqa: S603 (this program)


def _look(page: Any, address: str, file: Path) -> None:
    page.goto(f"{address}?site={SITE}&day={DAY}")
    time.sleep(1.0)
    save(page, file)


if __name__ == "__main__":
    main()
