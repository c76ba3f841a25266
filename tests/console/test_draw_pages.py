"""Drawing the shop, as the box answers it: checked, compared, saved once, and undone."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from runtime.console.drawing import store_file
from runtime.console.drawing.pages import LARGER
from runtime.console.drawing.store_file import StoreFileError
from tests.console.conftest import Browser, Shop

PATHS = (
    "/draw",
    "/draw/shop.json",
    "/draw/state.json",
    "/draw/versions?number=1",
    "/draw/picture/plan-1.png",
)
FORMS = ("/draw/check", "/draw/save", "/draw/text", "/draw/plan", "/draw/back")
DRAWN = {*(path.partition("?")[0] for path in PATHS[:-1]), *FORMS, "/draw/picture/{name}"}
"""Every address of the drawing."""


def opened(browser: Browser) -> dict[str, Any]:
    told: dict[str, Any] = browser.get("/draw/shop.json", page=False).json()
    return told


def text_of(shop: Shop) -> str:
    assert shop.config.file is not None
    return shop.config.file.read_text()


def test_only_technicians_draw(shop: Shop) -> None:
    viewer, stranger = shop.viewer(), shop.browser()
    for path in PATHS:
        assert viewer.get(path).status_code == 403
        assert stranger.get(path, page=False).status_code == 401
    for path in FORMS:
        assert viewer.send(path, {}).status_code == 403
        assert stranger.send(path, {}).status_code == 401
        technician = shop.technician()
        headers = {"Origin": "http://elsewhere.example", "X-CSRF-Token": technician.token()}
        assert technician.client.post(path, content=b"{}", headers=headers).status_code == 403
        headers = {"Origin": technician.origin, "X-CSRF-Token": "0" * 64}
        assert technician.client.post(path, content=b"{}", headers=headers).status_code == 403


def test_what_is_drawn_is_checked_compared_and_saved(shop: Shop) -> None:
    browser = shop.technician()
    told = opened(browser)
    drawing = told["drawing"]
    drawing["zones"][0]["polygon"][0] = [-30, 0]
    checked = browser.send("/draw/check", {"drawing": drawing, "version": told["version"]}).json()
    assert not checked["is_sound"]
    mistake = next(one for one in checked["mistakes"] if one["weight"] == "refused")
    assert (mistake["section"], mistake["index"], mistake["key"]) == ("zones", 0, "polygon[0]")
    before = text_of(shop)
    assert browser.send("/draw/save", {"drawing": drawing, "version": told["version"]}).status_code == 400
    assert text_of(shop) == before and shop.reloads == []
    drawing["zones"][0]["polygon"][0] = [-12.5, 11.5]
    checked = browser.send("/draw/check", {"drawing": drawing, "version": told["version"]}).json()
    assert checked["is_sound"] and sum(line[0] == "+" for line in checked["diff"]) == 2
    saved = browser.send("/draw/save", {"drawing": drawing, "version": told["version"]})
    assert saved.status_code == 200 and saved.json()["version"] == opened(browser)["version"]
    assert yaml.safe_load(text_of(shop))["zones"][0]["polygon"][0] == [-12.5, 11.5]
    assert len(shop.reloads) == 1 and "# The plaza" in text_of(shop)


def test_the_second_technician_is_told_and_overwrites_nothing(shop: Shop) -> None:
    ada, ben = shop.technician(), shop.technician()
    hers, his = opened(ada), opened(ben)
    hers["drawing"]["zones"][0]["name"] = "street"
    his["drawing"]["zones"][1]["name"] = "zebra"
    assert ada.send("/draw/save", {"drawing": hers["drawing"], "version": hers["version"]}).status_code == 200
    told = ben.send("/draw/save", {"drawing": his["drawing"], "version": his["version"]})
    assert told.status_code == 409 and "Somebody else" in told.json()["error"]
    assert [zone["name"] for zone in yaml.safe_load(text_of(shop))["zones"]][:2] == ["street", "crossing"]
    checked = ben.send("/draw/check", {"drawing": his["drawing"], "version": his["version"]}).json()
    assert checked["version"] != his["version"], "told while drawing, too"


def test_an_earlier_version_is_looked_at_and_put_back(shop: Shop) -> None:
    browser, before = shop.technician(), text_of(shop)
    told = opened(browser)
    told["drawing"]["zones"].pop()
    assert (
        browser.send("/draw/save", {"drawing": told["drawing"], "version": told["version"]}).status_code
        == 200
    )
    page = browser.get("/draw").text
    (number,) = re.findall(r"/draw/versions\?number=(\d+)", page)
    look = browser.get(f"/draw/versions?number={number}").text
    assert "east walk" in look
    version = re.search(r'name="version" value="(\w+)"', look)
    assert version is not None
    assert browser.post("/draw/back", number=number, version="old").status_code == 409
    assert browser.post("/draw/back", number=number, version=version[1]).status_code == 303
    assert text_of(shop) == before and len(shop.reloads) == 2
    assert browser.post("/draw/back", number="1", version=version[1]).status_code == 404


def test_a_disk_that_refuses_is_said_and_the_drawing_can_be_taken_away(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = shop.technician()
    told = opened(browser)
    told["drawing"]["zones"][0]["name"] = "street"
    sent = {"drawing": told["drawing"], "version": told["version"]}

    def refuse(self: object, data: bytes) -> None:
        raise StoreFileError("store.yaml cannot be written (No space left on device); it is as it was")

    monkeypatch.setattr(store_file.StoreFile, "_write", refuse)
    answer = browser.send("/draw/save", sent)
    assert answer.status_code == 507 and "No space left" in answer.json()["error"]
    assert "street" not in text_of(shop) and shop.reloads == []
    taken = browser.send("/draw/text", sent)
    assert taken.status_code == 200 and yaml.safe_load(taken.text)["zones"][0]["name"] == "street"


def test_a_file_with_a_password_in_it_is_not_given_away(shop: Shop) -> None:
    assert shop.config.file is not None
    shop.config.file.write_text(text_of(shop).replace("vtest.avi", "http://cam/v?password=hunter2"))
    browser = shop.technician()
    told = opened(browser)
    assert "hunter2" not in str(told)
    sent = {"drawing": told["drawing"], "version": told["version"]}
    assert browser.send("/draw/text", sent).status_code == 403
    told["drawing"]["cameras"][0]["uri"] = "rtsp://10.0.0.2/a"
    checked = browser.send("/draw/check", sent)
    assert checked.status_code == 200 and "hunter2" not in checked.text and "+    uri:" in checked.text


def test_a_picture_of_the_plan_becomes_the_floor(shop: Shop) -> None:
    browser = shop.technician()
    image = cv2.imencode(".jpg", np.full((600, 1_000, 3), 200, np.uint8))[1].tobytes()
    taken = browser.send("/draw/plan", image).json()
    assert (taken["width"], taken["height"]) == (1_000, 600)
    assert re.fullmatch(r"plan-[0-9a-f]{8}\.png", taken["file"])
    assert browser.get(f"/draw/picture/{taken['file']}", page=False).headers["content-type"] == "image/png"
    told = opened(browser)
    told["drawing"]["floor"]["image"] = taken["file"]
    sent = {"drawing": told["drawing"], "version": told["version"]}
    assert browser.send("/draw/save", sent).status_code == 200
    assert yaml.safe_load(text_of(shop))["floor"]["image"] == taken["file"]


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 60, b"\xff\xd8\xff\xe0" + b"x" * 80]
)
def test_what_is_no_picture_is_refused(shop: Shop, data: bytes) -> None:
    browser = shop.technician()
    answer = browser.send("/draw/plan", data)
    assert answer.status_code == 400 and answer.json()["error"].endswith(".")
    assert shop.config.file is not None
    assert sorted(file.name for file in shop.config.file.parent.iterdir()) == ["store.yaml", "vtest.avi"]


def test_more_than_a_form_may_come_only_where_it_is_needed(shop: Shop) -> None:
    browser = shop.technician()
    large = b"x" * 100_000
    for path in LARGER:
        assert browser.send(path, large).status_code == 400, path
        assert browser.send(path, b"x" * (LARGER[path] + 1)).status_code == 413, path
    assert browser.send("/draw/back", large).status_code == 413


@pytest.mark.parametrize("name", ["../store.yaml", "plan-..%2fstore.png", "store.yaml", "plan-.png"])
def test_no_other_file_is_given_out_as_a_picture(shop: Shop, name: str) -> None:
    assert shop.technician().get(f"/draw/picture/{name}", page=False).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b'{"drawing": 3, "version": "x"}', b'{"drawing": {}}'])
def test_what_is_no_drawing_is_said(shop: Shop, body: bytes) -> None:
    browser = shop.technician()
    for path in ("/draw/check", "/draw/save", "/draw/text"):
        assert browser.send(path, body).status_code == 400
