"""Takes the pictures of the pages: docs/pictures/console-*.webp.

    ./scripts/screenshots

The boutique, whose films are our own, runs for a few minutes; a real browser signs in by the terminal's link
and looks at every page.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from broker.mosquitto import LocalBroker
from runtime.config import Camera, StoreConfig, image_to_floor, load
from runtime.console.link import KEY_FILE, sign_in_link
from runtime.console.shown import Setup
from runtime.demo.boutique.store import Boutique, open_boutique

WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
WATCH_S = 60.0
MAX_BYTES = 150_000
CAMERA = "window"
JUDGED = "[...document.querySelectorAll('#pairs [data-value=left_out_cm]')]"
"""What each pair misses by when it is predicted from the others; `?` until it is judged."""


def main() -> None:
    """Write every picture into the folder."""
    folder = Path(sys.argv[1])
    with ExitStack() as stack:
        box = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagsight-pictures-")))
        broker = stack.enter_context(LocalBroker())
        shop = stack.enter_context(open_boutique(Boutique.shipped(), box, broker.port))
        config = load(shop.config)
        setup = Setup.of(config)
        while not (setup.folder / KEY_FILE).exists():
            time.sleep(0.2)
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(
            executable_path=os.environ["TAGSIGHT_CHROMIUM"], args=["--no-sandbox"]
        )
        stack.callback(browser.close)
        context = browser.new_context(viewport=WIDE)
        page = context.new_page()
        page.goto(sign_in_link(setup))
        page.get_by_role("button", name="Go on as technician").click()
        page.wait_for_selector("#plan")
        time.sleep(WATCH_S)
        page.reload()
        page.get_by_role("button", name=f"Look at camera {CAMERA}").click()
        page.wait_for_selector("#links [data-handled]", state="attached", timeout=150_000)
        time.sleep(1.0)
        save(page, folder / "console-live.webp")
        for path in ("today", "rfid", "health", "people"):
            page.goto(setup.url() + path)
            time.sleep(1.5)
            save(page, folder / f"console-{path}.webp")
        page.goto(f"{setup.url()}calibrate?camera={CAMERA}")
        until(page, "document.getElementById('still').naturalWidth > 0")
        measure(page, next(one for one in config.cameras if one.name == CAMERA), config)
        save(page, folder / "console-calibrate.webp")
        page.goto(f"{setup.url()}draw")
        draw(page)
        save(page, folder / "console-draw.webp")
        phone = browser.new_context(
            viewport=PHONE,
            color_scheme="dark",
            storage_state=context.storage_state(),
            device_scale_factor=1.5,
        ).new_page()
        phone.goto(setup.url())
        time.sleep(6.0)
        save(phone, folder / "console-phone.webp")


def draw(page: Any) -> None:
    """A zone is chosen, and a camera looked at that shows the same lines."""
    page.locator("[data-choose='zones/1']").click()
    page.get_by_role("button", name="Look", exact=True).click()
    until(page, "document.getElementById('still').naturalWidth > 0")
    until(page, "document.getElementById('verdict').textContent.includes('it can be saved')")
    time.sleep(1.0)


def until(page: Any, true: str) -> None:
    """The page's own policy allows no waiting within it."""
    deadline_s = time.monotonic() + 60.0
    while not page.evaluate(true) and time.monotonic() < deadline_s:
        time.sleep(0.3)


def measure(page: Any, camera: Camera, config: StoreConfig) -> None:
    """Type pairs, as if somebody had measured them to a few pixels."""
    floor = image_to_floor(camera)
    assert floor is not None and camera.image_size is not None
    random = np.random.default_rng(1)
    pixels = np.array([(u, v) for v in (0.5, 0.72, 0.93) for u in (0.12, 0.5, 0.88)]) * camera.image_size
    x0, y0, x1, y1 = config.floor.extent()
    for (u, v), (x, y) in zip(
        pixels + random.normal(0, 1.5, pixels.shape), floor.to_floor(pixels), strict=True
    ):
        if x0 <= x <= x1 and y0 <= y <= y1:
            for name, value in zip("uvxy", (u, v, x, y), strict=True):
                page.fill(f"#typed input[name={name}]", f"{value:.2f}")
            page.press("#typed input[name=y]", "Enter")
    until(page, f"{JUDGED}.length > 3 && {JUDGED}.every((cell) => cell.textContent !== '?')")
    time.sleep(1.0)


def save(page: Any, path: Path) -> None:
    """The whole page as WebP, as good as MAX_BYTES allow."""
    image = cv2.imdecode(np.frombuffer(page.screenshot(full_page=True), np.uint8), cv2.IMREAD_COLOR)
    for quality in range(90, 20, -8):
        data = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if len(data) <= MAX_BYTES:
            break
    path.write_bytes(data)
    sys.stdout.write(f"{path}: {image.shape[1]} x {image.shape[0]}, {len(data) / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
