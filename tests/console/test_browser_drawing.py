"""The shop is drawn in a real browser, and the running daemon counts by what was drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from tests.console.browsing import FLOOR_VALUES
from tests.console.daemon import Running, a_plaza, wait_until

pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Nothing needs to have happened in it."""
    with a_plaza(browser, tmp_path_factory.mktemp("plaza")) as one:
        yield one


def opened(running: Running, **options: Any) -> Any:
    page = running.page("draw", **options)
    page.wait_for_selector("[data-place='zones/0']")
    wait_until(lambda: "Being checked" not in page.locator("#verdict").inner_text())
    return page


def at(page: Any, x_m: float, y_m: float) -> tuple[float, float]:
    """Where a place on the floor is on the screen."""
    found: list[float] = page.evaluate(
        "([x, y]) => { const plan = document.getElementById('plan'); plan.scrollIntoView({block: 'center'});"
        " const on = new DOMPoint(x * 100, y * 100).matrixTransform(plan.getScreenCTM());"
        " return [on.x, on.y]; }",
        [x_m, y_m],
    )
    return found[0], found[1]


def drag(page: Any, begin: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *begin))
    page.mouse.down()
    page.mouse.move(*at(page, (begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2))
    page.mouse.move(*at(page, *end))
    page.mouse.up()


def drawing(page: Any) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("() => Draw.copy(Draw.model.drawing)")
    return found


def on_disk(running: Running) -> dict[str, Any]:
    assert running.config.file is not None
    found: dict[str, Any] = yaml.safe_load(running.config.file.read_text())
    return found


def judged(page: Any, words: str) -> None:
    wait_until(lambda: words in page.locator("#verdict").inner_text())


def saved(page: Any) -> None:
    page.get_by_role("button", name="Look at it and save").click()
    page.wait_for_selector("#differences[open]")
    page.get_by_role("button", name="Save", exact=True).click()
    wait_until(lambda: "Saved, and in force." in page.locator("#said").inner_text())


def test_a_zone_is_drawn_corrected_saved_and_counted_in(running: Running) -> None:
    """By mouse, with a mistake on the way that is shown where it is."""
    page = opened(running)
    page.get_by_role("button", name="Zone", exact=True).click()
    drag(page, (-16, 10), (-21, 14))
    place = f"zones/{len(on_disk(running)['zones'])}"
    judged(page, "mistake")
    assert "wrong" in page.locator(f"[data-place='{place}']").get_attribute("class")
    assert page.locator("#handles .handle.wrong").count() == 2
    assert "lies off the floor" in page.locator("#keys .said").first.inner_text()
    page.get_by_role("button", name="Look at it and save").click()
    page.wait_for_selector("#differences[open]")
    assert page.get_by_role("button", name="Save", exact=True).is_disabled()
    page.get_by_role("button", name="Go on drawing").click()
    drag(page, (-18.5, 12), (-16.5, 12))
    judged(page, "it can be saved")
    page.fill("#key-name", "kerb")
    page.press("#key-name", "Enter")
    judged(page, "it can be saved")
    saved(page)
    zone = on_disk(running)["zones"][-1]
    assert zone["name"] == "kerb"
    assert [min(axis) for axis in zip(*zone["polygon"], strict=True)] == pytest.approx(
        [-19.0, 10.0], abs=0.11
    )
    live = running.page()
    assert "kerb" in live.evaluate(FLOOR_VALUES)["zones"], "the pages and the daemon go by it"
    wait_until(lambda: "configuration reloaded" in running.log.read_text())
    live.context.close()
    page.context.close()


def test_every_kind_of_thing_is_made_by_mouse_and_by_keyboard(running: Running) -> None:
    page = opened(running)
    before = {key: len(value) for key, value in drawing(page).items() if key != "floor"}
    for name, where in (("Entrance", (-17, 3)), ("Rack", (-2, 2)), ("Fitting room", (3, 3))):
        page.get_by_role("button", name=name, exact=True).click()
        drag(page, where, (where[0] + 2, where[1] + 1.5))
    for name in ("Camera", "Antenna"):
        page.get_by_role("button", name=name, exact=True).click()
        page.mouse.click(*at(page, -3, 13))
    made = drawing(page)
    assert made["entrances"][-1]["line"] == [[-17, 3], [-15, 4.5]]
    assert made["zones"][-1]["kind"] == "fitting_room" and made["cameras"][-1]["at"] == [-3, 13]
    assert made["readers"][0]["antennas"][-1] == {"port": 5, "name": "antenna 1", "at": [-3, 13]}
    for name in ("Entrance", "Zone", "Rack"):
        page.get_by_role("button", name=name, exact=True).focus()
        page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    after = drawing(page)
    assert {key: len(after[key]) - count for key, count in before.items()} == {
        "cameras": 1, "entrances": 2, "zones": 2, "fixtures": 2, "readers": 0,
    }  # fmt: skip
    assert page.evaluate("() => document.activeElement.id") == "plan"
    page.keyboard.press("Delete")
    assert len(drawing(page)["fixtures"]) == before["fixtures"] + 1
    page.evaluate("() => localStorage.clear()")
    page.context.close()


def test_what_was_done_is_undone_and_done_again(running: Running) -> None:
    page = opened(running)
    first = drawing(page)
    page.locator("[data-choose='fixtures/0']").click()
    page.locator("#plan").focus()
    page.keyboard.press("ArrowLeft")
    second = drawing(page)
    assert second["fixtures"][0]["polygon"][0][0] == pytest.approx(
        first["fixtures"][0]["polygon"][0][0] - 0.1
    )
    page.locator("[data-choose='zones/1']").click()
    page.get_by_role("button", name="Remove").click()
    assert len(drawing(page)["zones"]) == len(first["zones"]) - 1
    page.get_by_role("button", name="Undo").click()
    assert drawing(page) == second
    page.locator("#plan").focus()
    page.keyboard.press("Control+z")
    assert drawing(page) == first and page.get_by_role("button", name="Undo").is_disabled()
    page.keyboard.press("Control+Shift+z")
    assert drawing(page) == second
    page.context.close()


def test_what_was_not_saved_is_there_again_when_the_browser_was_closed(running: Running) -> None:
    page = opened(running)
    page.locator("[data-choose='zones/0']").click()
    page.fill("#key-name", "lost and found")
    page.press("#key-name", "Enter")
    judged(page, "it can be saved")
    state = page.context.storage_state()
    page.context.close()
    again = running.browser.new_context(storage_state=state).new_page()
    again.goto(running.address + "draw")
    again.wait_for_selector("[data-place='zones/0']")
    assert drawing(again)["zones"][0]["name"] == "lost and found"
    assert "is here again" in again.locator("#said").inner_text()
    again.get_by_role("button", name="Drop it").click()
    wait_until(lambda: drawing(again)["zones"][0]["name"] == on_disk(running)["zones"][0]["name"])
    again.context.close()


def test_a_second_technician_is_told_and_neither_loses_anything(running: Running) -> None:
    first, second = opened(running), opened(running)
    for page, zone, name in ((first, 2, "mall"), (second, 1, "zebra")):
        page.locator(f"[data-choose='zones/{zone}']").click()
        page.fill("#key-name", name)
        page.press("#key-name", "Enter")
    second.get_by_role("button", name="Look at it and save").click()
    second.wait_for_selector("#differences[open]")
    saved(first)
    second.get_by_role("button", name="Save", exact=True).click()
    wait_until(lambda: "Somebody else has saved" in second.locator("#said").inner_text())
    assert on_disk(running)["zones"][2]["name"] == "mall"
    assert drawing(second)["zones"][1]["name"] == "zebra", "what was drawn stays"
    second.get_by_role("button", name="Look at the differences to theirs").click()
    second.wait_for_selector("#differences[open]")
    assert "mall" in second.locator("#diff").inner_text(), "what it would take back of theirs is shown"
    first.context.close()
    second.context.close()


def test_a_line_lies_in_the_picture_where_the_cameras_map_puts_it(running: Running) -> None:
    from runtime.config import image_to_floor

    page = opened(running)
    floor = image_to_floor(running.config.cameras[0])
    assert floor is not None
    gate = drawing(page)["entrances"][1]
    (end,) = floor.to_image([gate["line"][1]]).tolist()
    points = page.locator("[data-in-picture='entrances/1']").last.get_attribute("points").split()
    assert [float(each) for each in points[-1].split(",")] == pytest.approx(end, abs=0.2)
    page.get_by_role("button", name="Look", exact=True).click()
    wait_until(lambda: page.evaluate("document.getElementById('still').naturalWidth") == 768)
    page.context.close()


def test_a_picture_of_the_plan_lies_under_the_drawing(running: Running, tmp_path: Path) -> None:
    file = tmp_path / "plan.png"
    cv2.imwrite(str(file), np.full((500, 1_000, 3), 220, np.uint8))
    page = opened(running)
    page.locator("[data-choose='floor']").click()
    page.set_input_files("#plan-file", str(file))
    image = page.wait_for_selector("#floor image", state="attached")
    address = image.get_attribute("href")
    assert page.request.get(running.address.rstrip("/") + address).ok
    page.fill("#plan-wide", "30")
    page.press("#plan-wide", "Enter")
    x0, y0, x1, y1 = drawing(page)["floor"]["extent_m"]
    assert (x1 - x0, y1 - y0) == pytest.approx((30, 15))
    page.get_by_role("button", name="A blank grid instead").click()
    assert page.locator("#floor image").count() == 0
    page.evaluate("() => localStorage.clear()")
    page.context.close()


def test_an_earlier_version_comes_back_and_is_in_force(running: Running) -> None:
    page = opened(running)
    name = on_disk(running)["zones"][3]["name"]
    page.locator("[data-choose='zones/3']").click()
    page.fill("#key-name", "for a moment")
    page.press("#key-name", "Enter")
    saved(page)
    page.reload()
    page.get_by_role("link", name="Look at it").first.click()
    assert "for a moment" in page.locator("pre.diff").inner_text()
    page.get_by_role("button", name="Go back to this version").click()
    page.wait_for_selector("#plan")
    assert on_disk(running)["zones"][3]["name"] == name
    live = running.page()

    def is_back() -> bool:
        live.reload()
        return name in live.evaluate(FLOOR_VALUES)["zones"]

    wait_until(is_back)
    live.context.close()
    page.context.close()
