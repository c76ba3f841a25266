"""The pages in a real browser before a running daemon: true, usable by all, and quiet."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from runtime.config import image_to_floor
from runtime.geometry import Homography, in_polygon
from tests.console.browsing import (
    FLOOR_VALUES,
    LIVE_VALUES,
    TODAY_VALUES,
    disagreements,
    expected_live,
    expected_today,
    falsified,
)
from tests.console.daemon import WITHIN_S, Running, a_plaza, click, wait_until

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = pytest.mark.slow

PAGES = ("", "today", "rfid", "draw", "calibrate", "health", "people", "password")


def agreed(
    page: Any, values: str, expected: Any, reload: bool = False
) -> tuple[dict[str, str], dict[str, str]]:
    """What page and events say at a moment when they agree; both change while they are read."""
    found: list[str] = []
    deadline_s = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline_s:
        if reload:
            page.reload()
        before = expected()
        shown = page.evaluate(values)
        for said in (before, expected()):
            found = disagreements(shown, said)
            if not found:
                return shown, said
    raise AssertionError("\n".join(found[:20]))


def test_each_value_of_the_live_page_is_what_the_events_say(running: Running) -> None:
    page = running.page()
    shown, said = agreed(page, LIVE_VALUES, lambda: expected_live(running.told(), running.config))
    assert any(key.startswith("ticker") for key in said) and "gate road gate in" in said
    for key, value in shown.items():
        assert disagreements({**shown, key: falsified(value)}, said), f"a false {key} would pass"
    forged = "document.querySelector('[data-gate] [data-value=in]').textContent = '987'"
    assert disagreements(page.evaluate(f"() => {{ {forged}; return ({LIVE_VALUES})(); }}"), said)
    page.context.close()


def test_each_value_of_today_is_what_the_events_say(running: Running) -> None:
    page = running.page("today")
    shown, said = agreed(page, TODAY_VALUES, lambda: expected_today(running.told()), reload=True)
    assert sum(key.startswith("cell") for key in said) > 10
    for key, value in shown.items():
        assert disagreements({**shown, key: falsified(value)}, said), f"a false {key} would pass"
    page.context.close()


def around(x: float, y: float) -> list[tuple[float, float]]:
    """The place, and such as the page rounds to it."""
    return [(x + dx, y + dy) for dx in (-0.05, 0.0, 0.05) for dy in (-0.05, 0.0, 0.05)]


def miscounted(floor: dict[str, Any], zones: Any) -> list[str]:
    """Zones whose number is not that of the dots within."""
    found = []
    for zone in zones:
        near = [in_polygon(around(x, y), zone.polygon) for _, x, y in floor["people"]]
        right = {str(count) for count in range(sum(map(all, near)), sum(map(any, near)) + 1)}
        if floor["zones"][zone.name] not in (right if floor["people"] else right | {"?"}):
            found.append(zone.name)
    return found


def test_people_move_and_zones_count_the_dots_that_are_in_them(running: Running) -> None:
    page = running.page()
    page.wait_for_selector("[data-person]", state="attached")
    places: dict[str, set[tuple[float, float]]] = {}

    def look() -> None:
        floor = page.evaluate(FLOOR_VALUES)
        for person, x, y in floor["people"]:
            assert len(person) == 6, "a short id"
            places.setdefault(person, set()).add((x, y))
        assert miscounted(floor, running.config.zones) == []
        for name in floor["zones"]:
            false = {**floor, "zones": {**floor["zones"], name: str(len(floor["people"]) + 1)}}
            assert miscounted(false, running.config.zones) == [name]

    def somebody_has_moved() -> bool:
        look()
        return any(len(seen) > 3 for seen in places.values())

    def events_tell_of_somebody_who_was_seen() -> bool:
        look()
        told = {one.visitor[-6:] for one in running.told().facts if getattr(one, "visitor", None)}
        return not told.isdisjoint(places)

    wait_until(somebody_has_moved)
    wait_until(events_tell_of_somebody_who_was_seen)
    page.context.close()


def test_a_rack_lights_up_when_a_garment_is_handled(running: Running) -> None:
    page = running.page()
    lit = page.wait_for_selector("#links [data-handled]", state="attached")
    rack = lit.get_attribute("data-handled")
    assert rack in {fixture.name for fixture in running.config.fixtures}
    words = lit.query_selector("text").text_content()
    interactions = [event.fact for event in running.told().events if event.fact.kind == "interaction"]
    right = {
        one.who if one.visitor is None else f"{one.visitor[-6:]} {one.probability:.0%}"
        for one in interactions
        if one.fixture == rack
    }
    assert words in right and falsified(words) not in right
    page.context.close()


def test_a_camera_is_calibrated_by_clicks_and_keys(running: Running) -> None:
    """The plaza's own map is found again: three pairs by mouse, the others typed."""
    page = running.page("calibrate")
    wait_until(lambda: page.evaluate("document.getElementById('still').naturalWidth") == 768)
    floor = image_to_floor(running.config.cameras[0])
    assert floor is not None
    pixels = np.array([(u, v) for v in (330.0, 540.0, 210.0) for u in (80.0, 384.0, 690.0)])
    places = [(float(x), float(y)) for x, y in floor.to_floor(pixels)]
    x0, y0, wide, high = (float(each) for each in page.get_attribute("#plan", "viewBox").split())
    for (u, v), (x, y) in zip(pixels[:3], places[:3], strict=True):
        click(page, "#still", u / 768, v / 576, 768 / 576)
        click(page, "#plan", (x * 100 - x0) / wide, (y * 100 - y0) / high, wide / high)
    wait_until(lambda: "click more" in page.locator("#judged").inner_text())
    assert page.locator("#result").is_hidden(), "nothing to take away while it is refused"
    for (u, v), (x, y) in zip(pixels[3:], places[3:], strict=True):
        for name, value in zip("uvxy", (u, v, x, y), strict=True):
            page.fill(f"#typed input[name={name}]", f"{value:.2f}")
        page.press("#typed input[name=y]", "Enter")

    def is_judged() -> bool:
        """Each pair that is there, by all the others."""
        misses = page.locator("#pairs tbody [data-value=left_out_cm]").all_inner_texts()
        return len(misses) == len(places) and "?" not in misses

    wait_until(is_judged)
    assert page.locator("#result").is_visible()
    lines = yaml.safe_load(page.locator("#lines").inner_text())
    found = Homography(np.array(lines["homography"]), (384.0, 575.0))
    assert lines["image_size"] == [768, 576]
    misses_m = np.linalg.norm(found.to_floor(pixels) - np.array(places), axis=1)
    assert misses_m.max() < 0.5, misses_m
    page.locator("#pairs tbody button").first.click()
    wait_until(lambda: page.locator("#pairs tbody tr").count() == len(places) - 1)
    page.context.close()


def test_a_technician_looks_at_a_camera_and_the_log_says_so(running: Running) -> None:
    page = running.page()
    page.get_by_role("button", name="Look at camera square").click()
    wait_until(
        lambda: page.evaluate("(document.querySelector('#frames img') || {}).naturalWidth || 0") == 640
    )
    page.get_by_role("button", name="Stop looking at camera square").click()
    wait_until(lambda: "looks no more at camera square" in running.log.read_text())
    assert "terminal looks at pictures of camera square, heads blurred" in running.log.read_text()
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(running: Running, path: str, scheme: str) -> None:
    page = running.page(path, color_scheme=scheme)
    page.wait_for_selector("h1", state="attached")
    found = axe.Axe().run(page).response["violations"]
    serious = [
        f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:3]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    page.context.close()


def test_axe_finds_nothing_serious_where_one_signs_in(running: Running) -> None:
    page = running.browser.new_context().new_page()
    for path in ("sign-in", "enter/x"):
        page.goto(running.address + path)
        found = axe.Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    page.context.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_all_without_scrolling_sideways(running: Running, path: str) -> None:
    page = running.page(path, viewport={"width": 390, "height": 844})
    page.wait_for_selector("h1", state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()


def test_the_keyboard_reaches_what_matters(running: Running) -> None:
    page = running.page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Live", "Today", "Health", "Users", "Sign out"} <= set(seen)
    page.context.close()


def test_the_browser_has_nothing_to_complain_about(running: Running) -> None:
    for path in PAGES:
        page = running.page(path)
        page.wait_for_selector("h1", state="attached")
        page.context.close()
    assert running.complaints == []


def test_while_nobody_looks_it_takes_at_most_3_percent_of_a_core(running: Running) -> None:
    """By the process's own CPU time, in one of some spans: at first it may still be at what a page asked for,
    and on a busy machine the same work takes more of it.
    """
    for context in running.browser.contexts:
        context.close()
    found = [line for line in running.log.read_text().splitlines() if "console started, pid " in line]
    stat = Path("/proc", found[-1].rpartition(" ")[2], "stat")
    shares: list[float] = []
    while len(shares) < 8 and not (shares and shares[-1] < 0.03):
        used_s, began_s = cpu_s(stat), time.monotonic()
        time.sleep(6.0)
        shares.append((cpu_s(stat) - used_s) / (time.monotonic() - began_s))
    assert shares[-1] < 0.03, shares


def cpu_s(stat: Path) -> float:
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_page_whose_box_is_gone_says_so(browser: Any, tmp_path: Path) -> None:
    with a_plaza(browser, tmp_path) as running:
        _until_it_is_gone(running)


def _until_it_is_gone(running: Running) -> None:
    page = running.page()
    page.wait_for_selector("[data-person]", state="attached")
    page.wait_for_selector("#lost", state="hidden")
    running.stop()
    page.wait_for_selector("#lost", state="visible")
    page.context.close()
