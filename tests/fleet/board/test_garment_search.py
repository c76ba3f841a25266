"""The board's search box: there where a catalogue is given, and what it finds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra fleet is not installed")
pytest.importorskip("duckdb", reason="the extra fleet is not installed")

from starlette.testclient import TestClient

from fleet.board.app import Board
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.serve.reading import Reading
from fleet.serve.settings import FleetSettings, GarmentFiles, load
from tests.console.browsing import chromium
from tests.fleet.board.serving import serving
from tests.fleet.lines import NOON_S, event, flip, setup, taken, tryon
from tests.fleet.mirror.shop import GARMENTS, a_catalogue
from tests.fleet.search.test_finding import tower

DAY = "2026-10-25"
HURT = "<img src=x onerror=alert(1)>"


@pytest.fixture
def settings(tmp_path: Path) -> FleetSettings:
    coat = {"sku": "COAT-1"}
    told = [event(setup()), event(flip(**coat)), event(flip(NOON_S + 60, key="again", **coat), 2)]
    taken([*told, event(tryon(NOON_S + 160), 3)], Warehouse(tmp_path / "w.db")).close()
    catalogue = a_catalogue(tmp_path / "shop", GARMENTS.replace("Wide hat", f"{HURT} hat"))
    return FleetSettings(warehouse=tmp_path / "w.db", garments=GarmentFiles(catalogue=catalogue))


def browser(settings: FleetSettings) -> TestClient:
    app = Board(settings, Reading(settings), lambda: NOON_S + 7200).app()
    return TestClient(app, base_url="http://127.0.0.1:8480", headers={"accept": "text/html"})


def test_without_a_catalogue_there_is_no_search_box(settings: FleetSettings, tmp_path: Path) -> None:
    plain = browser(FleetSettings(warehouse=tmp_path / "w.db"))
    assert "/garments/search" not in plain.get(f"/garments?day={DAY}").text
    assert plain.get("/garments/search?q=coat").status_code == 404
    assert 'action="/garments/search"' in browser(settings).get(f"/garments?day={DAY}").text


def test_garments_are_found_with_picture_price_and_what_happened_to_them(settings: FleetSettings) -> None:
    client = browser(settings)
    text = client.get(f"/garments/search?q=black+coat+zebra&day={DAY}").text
    first = text[text.index('<li data-row="COAT-1"') :].partition("</li>")[0]
    assert "Black coat" in first and "90.00 EUR" in first and 'data-value="handled">2<' in first
    assert text.index("COAT-1") < text.index("COAT-2") and "Not known, and in no title: zebra." in text
    assert "nothing told of it here" in text[text.index('<li data-row="COAT-2"') :]
    picture = client.get("/garments/pictures/COAT-1")
    assert picture.headers["content-type"] == "image/png" and picture.content.startswith(b"\x89PNG")
    for missing in ("COAT-2", "NONE", "%00", "../w.db"):
        assert client.get(f"/garments/pictures/{missing}").status_code == 404


def test_what_is_asked_and_what_is_found_are_text(settings: FleetSettings) -> None:
    text = browser(settings).get("/garments/search", params={"q": f"hat {HURT}", "day": DAY}).text
    assert "<img src=x" not in text and text.count("&lt;img src=x") >= 2


def test_another_catalogue_in_its_place_is_read_and_one_that_is_none_is_said(
    settings: FleetSettings, tmp_path: Path
) -> None:
    assert settings.garments is not None
    client = browser(settings)
    other = a_catalogue(tmp_path / "other", GARMENTS.replace("Black coat", "Purple cape"))
    other.replace(settings.garments.catalogue)
    assert "Purple cape" in client.get(f"/garments/search?q=cape&day={DAY}").text
    settings.garments.catalogue.write_bytes(b"rubbish")
    with pytest.raises(FleetError, match="catalogue"):
        browser(settings)


def test_garments_that_cannot_be_found_by_their_pictures_are_said_until_they_can(
    settings: FleetSettings, tmp_path: Path
) -> None:
    assert settings.garments is not None
    catalogue = settings.garments.catalogue
    pictures, words = tmp_path / "pictures.npz", tmp_path / "words.npz"
    tower().save(words)
    np.savez(pictures, sku=np.array(["COAT-1"]), embedding=np.eye(1, 8, dtype=np.float32))
    files = GarmentFiles(catalogue=catalogue, embeddings=pictures, words=words)
    client = browser(msgspec.structs.replace(settings, garments=files))
    asked = f"/garments/search?q=cape&day={DAY}"
    kept = pictures.read_bytes()
    pictures.write_bytes(kept[:100])
    a_catalogue(tmp_path / "other", GARMENTS.replace("Black coat", "Purple cape")).replace(catalogue)
    for _ in range(2):
        assert "pictures.npz: needs the arrays sku and embedding" in client.get(asked).text
    pictures.write_bytes(kept)
    assert "Purple cape" in client.get(asked).text


def test_embeddings_without_their_words_are_refused(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("warehouse: w.db\ngarments: {catalogue: c.db, embeddings: e.npz}\n")
    with pytest.raises(FleetError, match=r"garments\.words.*is missing"):
        load(tmp_path / "fleet.yaml")


@pytest.mark.slow
def test_what_is_found_can_be_read_on_a_telephone(settings: FleetSettings, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    executable = chromium()
    files = "garments: {catalogue: shop/catalogue.db}\n"
    with serving(tmp_path, files) as address, playwright.sync_playwright() as driver:
        page = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"]).new_page(
            viewport={"width": 390, "height": 800}
        )
        complaints: list[str] = []
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(f"{address}/garments?site=plaza&day={DAY}")
        page.get_by_label("Garments by words").fill("黑色外套 hat")
        page.get_by_role("button", name="Find").click()
        page.wait_for_selector(".found img")
        page.wait_for_function("document.querySelector('.found img').naturalWidth == 28")
        assert page.inner_text("[data-row=HAT-1] h2") == f"{HURT} hat"
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        page.screenshot(path=str(tmp_path / "found.png"))
        assert complaints == []
