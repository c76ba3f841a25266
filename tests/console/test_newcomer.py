"""Somebody new sets a shop up: from an empty folder to the first right event, through the pages alone.

Two cameras play the sample clip, a simulated reader answers LLRP. Clicks and keystrokes are counted against
those of the way without pages: the same store.yaml typed into an editor, and the commands. `pytest -s` prints
both.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from broker.mosquitto import free_port
from contract.facts import Visit
from rfid_reader.simulator.scenarios.files import SHIPPED
from runtime.config import image_to_floor, load
from runtime.demo.plaza import find_clip
from runtime.geometry import Homography
from tagsight.errors import TagsightError
from tests.console.browsing import Told
from tests.console.daemon import WITHIN_S, wait_until

pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.slow

SIZE = (768, 576)
PIXELS = [(90, 300), (384, 230), (690, 330), (690, 540), (384, 560), (80, 520)]
GATE = ((-14.5, 11.5), (-5.0, 11.5))
COMMANDS = (
    "tagsight config init store.yaml",
    "nano store.yaml",
    "tagsight calibrate floor --config store.yaml --camera left --click --out left.yaml",
    "tagsight calibrate floor --config store.yaml --camera right --click --out right.yaml",
    "nano store.yaml",
    "tagsight config check store.yaml",
    "tagsight run --config store.yaml",
    "tagsight events tail --config store.yaml",
)


class Hand:
    """A hand on mouse and keyboard, and what it has done."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.clicks = self.keys = 0

    def click(self, place: Any) -> None:
        place.click()
        self.clicks += 1

    def press(self, name: str) -> None:
        self.click(self.page.get_by_role("button", name=name, exact=True))

    def point(self, x: float, y: float) -> None:
        self.page.mouse.click(x, y)
        self.clicks += 1

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        self.page.mouse.move(*begin)
        self.page.mouse.down()
        self.page.mouse.move((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2)
        self.page.mouse.move(*end)
        self.page.mouse.up()
        self.clicks += 1

    def type(self, place: str, text: str) -> None:
        """Into a field, instead of what stands there: a click that selects, the keys, and Enter."""
        self.page.locator(place).click(click_count=3)
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")
        self.clicks += 1
        self.keys += len(text) + 1


@contextmanager
def running_command(*arguments: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A command of ours until the context ends, and its output."""
    log = folder / f"{arguments[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "runtime", *arguments],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    try:
        yield process, log
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20.0)
        if process.poll() is None:
            process.kill()
            process.wait()


def link_in(log: Path) -> str:
    found = re.search(r"sign in by: (\S+)", log.read_text())
    return "" if found is None else found[1]


def on_plan(page: Any, x_m: float, y_m: float) -> tuple[float, float]:
    found: list[float] = page.evaluate(
        "([x, y]) => { const plan = document.getElementById('plan'); plan.scrollIntoView({block: 'center'});"
        " const on = new DOMPoint(x * 100, y * 100).matrixTransform(plan.getScreenCTM());"
        " return [on.x, on.y]; }",
        [x_m, y_m],
    )
    return found[0], found[1]


def save(hand: Hand) -> None:
    verdict = hand.page.locator("#verdict")
    wait_until(lambda: "it can be saved" in verdict.inner_text())
    hand.press("Look at it and save")
    hand.page.wait_for_selector("#differences[open]")
    hand.press("Save")
    wait_until(lambda: "Saved, and in force." in hand.page.locator("#said").inner_text())


def draw_cameras(hand: Hand, clip: Path) -> None:
    hand.click(hand.page.get_by_role("link", name="Draw", exact=True))
    hand.page.wait_for_selector("[data-choose='floor']")
    hand.type("#key-extent_m", "-20, -8.5, 8, 17")
    for name, x_m in (("left", -17.0), ("right", 5.0)):
        hand.press("Camera")
        hand.point(*on_plan(hand.page, x_m, 15.0))
        hand.type("#key-name", name)
        hand.type("#key-uri", f"file:{clip}?loop=1&pace=real")
    save(hand)


def calibrate(hand: Hand, floor: Homography) -> None:
    """Six places, in the picture and on the plan."""
    page = hand.page
    wait_until(lambda: page.evaluate("document.getElementById('still').naturalWidth") == SIZE[0])
    places = floor.to_floor(PIXELS).tolist()
    for (u, v), (x, y) in zip(PIXELS, places, strict=True):
        still = page.locator("#still")
        still.scroll_into_view_if_needed()
        box = still.bounding_box()
        hand.point(box["x"] + u / SIZE[0] * box["width"], box["y"] + v / SIZE[1] * box["height"])
        hand.point(*on_plan(page, x, y))
    wait_until(lambda: page.locator("#result").is_visible())
    hand.press("Put it into store.yaml")
    wait_until(lambda: "Saved" in page.locator("#saved").inner_text())


def draw_the_rest(hand: Hand, reader_port: int) -> None:
    hand.click(hand.page.get_by_role("link", name="Draw", exact=True))
    hand.page.wait_for_selector("[data-place='cameras/0']")
    hand.press("Entrance")
    hand.drag(on_plan(hand.page, *GATE[0]), on_plan(hand.page, *GATE[1]))
    hand.type("#key-name", "road gate")
    hand.press("Rack")
    hand.drag(on_plan(hand.page, -7.9, 5.95), on_plan(hand.page, -6.7, 6.45))
    hand.type("#key-name", "coats")
    hand.press("Antenna")
    hand.point(*on_plan(hand.page, -7.3, 6.2))
    hand.click(hand.page.locator("[data-choose='readers/0']"))
    hand.type("#key-host", "127.0.0.1")
    hand.type("#key-port", str(reader_port))
    save(hand)


def keys_by_hand(text: str) -> int:
    """Of typing that store.yaml: an editor indents by itself, and a measured map is pasted."""
    store = yaml.safe_load(text)
    for camera in store["cameras"]:
        camera.pop("homography")
        camera.pop("image_size")
    typed = yaml.safe_dump(store, default_flow_style=None, sort_keys=False, width=10_000)
    return sum(len(line.strip()) + 1 for line in typed.splitlines())


def test_from_an_empty_folder_to_the_first_right_event(browser: Any, tmp_path: Path, repo: Path) -> None:
    try:
        clip = find_clip()
    except TagsightError as error:
        pytest.skip(str(error))
    floor = image_to_floor(load(repo / "runtime" / "demo" / "plaza.yaml", clips_needed=False).cameras[0])
    assert floor is not None
    shop, reader_port = tmp_path / "shop", free_port()
    shop.mkdir()
    began_s = time.monotonic()
    reader = ("rfid", "simulate", "--scenario", str(SHIPPED / "plaza.yaml"), "--port", str(reader_port))
    command = "tagsight view --start --config store.yaml"
    with (
        running_command(*reader, folder=tmp_path),
        running_command(*command.split()[1:], folder=shop) as (_, log),
    ):
        wait_until(lambda: bool(link_in(log)))
        page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        page.set_default_timeout(WITHIN_S * 1000)
        hand = Hand(page)
        hand.keys += len(command) + 1
        page.goto(link_in(log))
        hand.clicks += 1
        hand.press("Go on as technician")
        page.wait_for_selector("#begin")
        draw_cameras(hand, clip)
        hand.click(page.locator("[data-choose='cameras/0']"))
        hand.click(page.locator("#calibrate-it"))
        calibrate(hand, floor)
        page.select_option("#camera", "right")
        hand.clicks += 2
        hand.press("Open")
        calibrate(hand, floor)
        draw_the_rest(hand, reader_port)
        config = load(shop / "store.yaml")

        def is_read() -> bool:
            told = [event.fact for event in Told.of(config.outbox_path()).events]
            mine = [one for one in told if getattr(one, "process", "") == "reader:reader 1"]
            return bool(mine) and mine[-1].values.get("antenna_1_reads_per_s", 0.0) > 0

        def is_counted() -> bool:
            """By the page as by the events, and somebody; both go on while they are read."""
            shown = page.locator("[data-gate='road gate'] [data-value]").all_inner_texts()
            visits = Told.of(config.outbox_path()).all(Visit)
            ways = Counter(visit.direction for visit in visits)
            assert {visit.entrance for visit in visits} <= {"road gate"}
            return bool(visits) and shown == [str(ways["in"]), str(ways["out"])]

        wait_until(is_read)
        hand.click(page.get_by_role("link", name="Live", exact=True))
        wait_until(is_counted)
        page.context.close()
    misses_m = [
        np.abs(found.to_floor(PIXELS) - floor.to_floor(PIXELS)).max()
        for found in map(image_to_floor, config.cameras)
        if found is not None
    ]
    assert len(misses_m) == 2 and max(misses_m) < 0.5, misses_m
    text = (shop / "store.yaml").read_text()
    clicks_by_hand = 2 * (2 * len(PIXELS) + 1)
    typed = sum(len(one) + 1 for one in COMMANDS) + keys_by_hand(text)
    print(
        f"\nby the pages: {hand.clicks} clicks, {hand.keys} keystrokes, 1 command; "
        f"without: {clicks_by_hand} clicks, {typed} keystrokes, {len(COMMANDS)} commands "
        f"({time.monotonic() - began_s:.0f} s)"
    )
    assert hand.clicks + hand.keys <= (clicks_by_hand + typed) / 2
