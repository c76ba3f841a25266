"""A plaza that runs, and a real browser that has signed in to its pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.mosquitto import LocalBroker
from runtime.config import StoreConfig, load
from runtime.console.link import sign_in_link
from runtime.console.shown import Setup
from runtime.demo.plaza import find_clip, open_plaza
from tagsight.errors import TagsightError
from tests.console.browsing import Told

WITHIN_S = 120.0


@dataclass
class Running:
    """A plaza that runs, and a browser that has signed in to its pages by the terminal's link."""

    config: StoreConfig
    log: Path
    stop: Callable[[], object]
    browser: Any
    state: Any
    complaints: list[str]

    @property
    def address(self) -> str:
        return Setup.of(self.config).url()

    def page(self, path: str = "", **options: Any) -> Any:
        context = self.browser.new_context(storage_state=self.state, **options)
        context.set_default_timeout(WITHIN_S * 1000)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{path}: {error}"))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        page.goto(self.address + path)
        return page

    def told(self) -> Told:
        return Told.of(self.config.outbox_path())


@contextmanager
def a_plaza(browser: Any, box: Path) -> Iterator[Running]:
    with ExitStack() as stack:
        try:
            clip = find_clip()
            broker = stack.enter_context(LocalBroker())
        except TagsightError as error:
            pytest.skip(str(error))
        plaza = stack.enter_context(open_plaza(box, clip, broker.port))
        config = load(plaza.config)
        setup = Setup.of(config)
        wait_until((setup.folder / "signing.key").exists)
        context = browser.new_context()
        context.set_default_timeout(WITHIN_S * 1000)
        page = context.new_page()
        page.goto(sign_in_link(setup))
        page.get_by_role("button", name="Go on as technician").click()
        page.wait_for_selector("#plan")
        opened = Running(config, plaza.log, plaza.stop, browser, context.storage_state(), [])
        context.close()
        yield opened


def has_happened(running: Running) -> bool:
    """Somebody has come in, stayed and handled a garment."""
    if not running.config.outbox_path().exists():
        return False
    kinds = {event.fact.kind for event in running.told().events}
    return kinds >= {"visit", "dwell", "interaction", "footfall", "heatmap", "flow"}


def wait_until(done: Any, limit_s: float = WITHIN_S) -> None:
    deadline_s = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < deadline_s, "it did not come about in time"
        time.sleep(0.3)


def click(page: Any, selector: str, across: float, down: float, ratio: float) -> None:
    """At a share of the width and height of a drawing of that ratio, which lies in the middle of its box."""
    place = page.locator(selector)
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    width = min(box["width"], box["height"] * ratio)
    height = width / ratio
    left, top = (box["width"] - width) / 2, (box["height"] - height) / 2
    place.click(position={"x": left + across * width, "y": top + down * height})
