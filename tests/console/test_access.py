"""Who may see and change what: each page and each form, without a session, as a viewer, as a technician."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from runtime.config import StoreConfig
from runtime.console.link import sign_in_link
from tests.console.conftest import CODE, PASSWORD, Shop
from tests.console.test_draw_pages import DRAWN

FOR_VIEWERS = (
    "/rfid",
    "/",
    "/live/now",
    "/plan.css",
    "/health",
    "/today",
    "/password",
    "/today/footfall.json",
    "/today/heat",
    *(f"/today/{table}.csv" for table in ("footfall", "visits", "dwell", "flow", "heat", "garments")),
)
PICTURES = "/cameras/square/pictures"
STILL = "/calibrate/square/still.jpg"
FOR_TECHNICIANS = ("/people", "/calibrate")
FORMS = (
    "/calibrate/square/judge",
    "/sign-in",
    "/first-run",
    "/sign-out",
    "/people",
    "/people/remove",
    "/password",
    "/enter/x",
)


def test_every_route_is_in_these_tables(shop: Shop) -> None:
    known = {*FOR_VIEWERS, *FOR_TECHNICIANS, *FORMS, "/live/stream"}
    known |= {
        *DRAWN,
        "/calibrate/{camera}/save",
        "/floor-drawing",
        "/calibrate/{camera}/still.jpg",
        "/calibrate/{camera}/judge",
    }
    known |= {
        "/enter/{link}",
        "/static/{digest}/{name:path}",
        "/today/{table}.csv",
        "/days/{day}/{table}.csv",
        "/days/{day}/report.html",
        "/cameras/{name}/pictures",
    }
    assert {route.path for route in shop.app._app.routes} <= known


@pytest.mark.parametrize(
    "path", [*FOR_VIEWERS, *FOR_TECHNICIANS, "/live/stream", "/floor-drawing", PICTURES, STILL]
)
def test_without_a_session_a_page_leads_to_signing_in_and_all_else_is_401(shop: Shop, path: str) -> None:
    page, data = shop.browser().get(path), shop.browser().get(path, page=False)
    assert (page.status_code, page.headers["location"]) == (303, f"/sign-in?next={path}")
    assert data.status_code == 401


@pytest.mark.parametrize("path", FOR_VIEWERS)
def test_a_viewer_sees_the_figures(shop: Shop, path: str) -> None:
    assert shop.viewer().get(path).status_code == 200


@pytest.mark.parametrize("path", FOR_TECHNICIANS)
def test_what_is_for_technicians_is_403_for_a_viewer(shop: Shop, path: str) -> None:
    assert shop.viewer().get(path).status_code == 403
    assert shop.viewer().post("/people", name="Eve", password=PASSWORD, role="technician").status_code == 403
    assert shop.viewer().post("/calibrate/square/judge", pairs="[]").status_code == 403
    assert shop.pages.users.find("Eve") is None
    assert shop.technician().get(path).status_code == 200


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    ("origin", "token"),
    [
        ("https://evil.example", None),
        ("null", None),
        (None, None),
        ("http://localhost", None),
        ("", "0" * 64),
        ("", ""),
    ],
)
def test_a_form_from_elsewhere_or_without_its_token_changes_nothing(
    shop: Shop, path: str, origin: str | None, token: str | None
) -> None:
    browser = shop.technician()
    before = shop.pages.users.all()
    fields = {"name": "Ada", "password": PASSWORD, "role": "viewer", "code": CODE, "old": PASSWORD}
    answer = browser.post(path, origin=origin, token=token, **fields)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert shop.pages.users.all() == before
    assert browser.get("/").status_code == 200, "still signed in"


def test_a_token_of_one_session_is_none_of_another(shop: Shop) -> None:
    stolen = shop.browser().token()
    assert shop.technician().post("/people/remove", token=stolen, name="Ada").status_code == 403


def test_pictures_are_for_technicians_and_our_own_pages_only(shop: Shop) -> None:
    assert shop.viewer().get(PICTURES, page=False).status_code == 403
    assert shop.viewer().get(STILL, page=False).status_code == 403
    ada = shop.technician().client
    for site in ("cross-site", "same-site", "none"):
        assert ada.get(PICTURES, headers={"Sec-Fetch-Site": site}).status_code == 403
    assert shop.technician().get("/cameras/nowhere/pictures").status_code == 404
    shop.pages.use(msgspec.structs.replace(shop.pages.shown, pictures=False))
    assert shop.technician().get(PICTURES).status_code == 403
    assert shop.technician().get(STILL).status_code == 403
    assert "Look" not in shop.technician().get("/").text


def test_the_first_user_needs_the_code_that_the_terminal_shows(shop: Shop) -> None:
    browser = shop.browser()
    assert "First-run code" in browser.get("/sign-in").text
    wrong = browser.post("/first-run", code="AAAA-AAAA-AAAA", name="Eve", password=PASSWORD)
    assert wrong.status_code == 401 and shop.pages.users.all() == []
    right = browser.post("/first-run", code=CODE.lower(), name="Ada", password=PASSWORD)
    assert right.status_code == 303
    assert [(user.name, user.role) for user in shop.pages.users.all()] == [("Ada", "technician")]
    again = shop.browser().post("/first-run", code=CODE, name="Eve", password=PASSWORD)
    assert again.status_code == 400 and shop.pages.users.find("Eve") is None


def test_guessing_is_slowed_down(shop: Shop) -> None:
    shop.technician()
    browser = shop.browser()
    codes = [browser.post("/sign-in", name="Ada", password="guess").status_code for _ in range(8)]
    assert codes[:5] == [401] * 5 and codes[-2:] == [429, 429]
    assert browser.post("/sign-in", name="Ada", password=PASSWORD).status_code == 429
    codes = [browser.post("/sign-in", name=f"Bob {number}", password="x").status_code for number in range(20)]
    assert codes[0] == 401 and codes[-1] == 429, "whatever name is tried"


def test_a_link_of_the_terminal_signs_in_once(shop: Shop) -> None:
    link = sign_in_link(shop.pages.setup)
    path = "/" + link.partition("://")[2].partition("/")[2]
    browser = shop.browser()
    assert browser.get(path).status_code == 200
    assert browser.get("/").status_code == 303, "to look at the link signs nobody in"
    assert browser.post(path).status_code == 303
    assert browser.get("/people").status_code == 200
    assert shop.browser().post(path).status_code == 401


def test_a_viewer_is_led_nowhere_that_only_technicians_may_go(shop: Shop) -> None:
    full = shop.pages.shown
    empty = msgspec.structs.replace(full, cameras=[], entrances=[], zones=[], fixtures=[], antennas={})
    for person, draws in ((shop.viewer(), False), (shop.technician(), True)):
        for shown in (full, empty):
            shop.pages.use(shown)
            pages = {page: person.get(page).text for page in ("/", "/today", "/health", "/rfid", "/password")}
            assert ("draw one" in pages["/"]) is (draws and shown is empty)
            for page, text in pages.items():
                for link in sorted(set(re.findall(r'<a [^>]*href="(/[^"#]*)"', text))):
                    assert person.get(link).status_code == 200, f"{page} leads to {link}"


def test_the_shops_own_drawing_lies_under_the_plan(shop: Shop, tmp_path: Path) -> None:
    browser = shop.viewer()
    assert browser.get("/floor-drawing").status_code == 404
    assert "<image" not in browser.get("/").text
    cv2.imwrite(str(tmp_path / "plan.png"), np.full((20, 30, 3), 255, np.uint8))
    shop.pages.use(msgspec.structs.replace(shop.pages.shown, floor_image=tmp_path / "plan.png"))
    for page in ("/", "/today"):
        assert 'href="/floor-drawing"' in browser.get(page).text
    answer = browser.get("/floor-drawing")
    assert answer.headers["content-type"] == "image/png" and answer.content[:4] == b"\x89PNG"
    (tmp_path / "secret.txt").write_text("x")
    shop.pages.use(msgspec.structs.replace(shop.pages.shown, floor_image=tmp_path / "secret.txt"))
    assert browser.get("/floor-drawing").status_code == 404, "pictures and nothing else"


def test_signing_out_ends_the_session_whatever_the_browser_keeps(shop: Shop) -> None:
    browser = shop.technician()
    cookies = dict(browser.client.cookies)
    assert browser.post("/sign-out").status_code == 303
    thief = shop.browser()
    thief.client.cookies.update(cookies)
    assert thief.get("/").status_code == 303


def test_who_is_removed_is_out_at_once(shop: Shop) -> None:
    vera, ada = shop.viewer(), shop.technician()
    assert vera.get("/").status_code == 200
    assert "gone" in ada.post("/people/remove", name="Vera").text
    assert vera.get("/").status_code == 303


def test_a_viewer_changes_their_password_and_is_out_everywhere_else(shop: Shop) -> None:
    here, elsewhere = shop.viewer(), shop.viewer()
    wrong = here.post("/password", old="not it at all", password="another long one")
    assert wrong.status_code == 401 and "stays as it was" in wrong.text
    assert here.post("/password", old=PASSWORD, password="short").status_code == 400
    assert here.post("/password", old=PASSWORD, password="another long one").status_code == 303
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 303
    shop.browser().sign_in("Vera", "another long one")


def test_after_signing_in_one_lands_only_on_our_own_pages(shop: Shop) -> None:
    shop.technician()
    for path, lands in (("/health", "/health"), ("//evil.example", "/"), ("https://evil.example", "/")):
        answer = shop.browser().post("/sign-in", name="Ada", password=PASSWORD, next=path)
        assert answer.headers["location"] == lands


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "192.0.2.9", ""])
def test_a_name_that_points_here_and_is_not_ours_is_not_served(shop: Shop, host: str) -> None:
    answer = shop.technician().client.get("/", headers={"Host": host})
    assert answer.status_code == 421


def test_beyond_this_machine_there_is_tls_and_a_cookie_that_needs_it(config: StoreConfig) -> None:
    console = msgspec.structs.replace(config.console, host="0.0.0.0", names=["tagsight.shop.example"])
    shop = Shop(msgspec.structs.replace(config, console=console))
    try:
        browser = shop.browser()
        assert browser.origin == "https://tagsight.shop.example:8480"
        answer = browser.get("/sign-in")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-tagsight") and answer.headers["strict-transport-security"]
        for word in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
            assert word in cookie
        assert browser.client.get("/sign-in", headers={"Host": "evil.example:8480"}).status_code == 421
        assert browser.client.get("/sign-in", headers={"Host": "192.0.2.9:8480"}).status_code == 200
    finally:
        shop.close()


def test_every_answer_forbids_what_a_page_does_not_need(shop: Shop) -> None:
    for path in ("/sign-in", "/", "/nowhere", "/static/x/web/style.css"):
        headers = shop.technician().get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_no_page_has_a_script_or_a_style_within(shop: Shop) -> None:
    browser = shop.technician()
    for path in (*FOR_VIEWERS, *FOR_TECHNICIANS):
        text = browser.get(path).text
        assert "<script>" not in text and "<style" not in text and " style=" not in text
        assert "hx-on" not in text and "onclick" not in text and "//cdn" not in text


def test_no_secret_is_on_any_page(shop: Shop) -> None:
    browser = shop.technician()
    user = shop.pages.users.find("Ada")
    assert user is not None
    key = (shop.pages.setup.folder / "signing.key").read_bytes().hex()
    for path in (*FOR_VIEWERS, *FOR_TECHNICIANS, "/live/now"):
        text = browser.get(path).text
        for secret in (user.password_hash, user.stamp, key, CODE, PASSWORD):
            assert secret not in text


def test_a_large_form_is_refused(shop: Shop) -> None:
    answer = shop.technician().post("/people", name="x" * 100_000, password=PASSWORD, role="viewer")
    assert answer.status_code == 413


def test_a_flood_of_requests_is_slowed_down(shop: Shop) -> None:
    browser = shop.browser()
    codes = {browser.client.get("/static/x/none").status_code for _ in range(400)}
    assert codes == {404, 429}
