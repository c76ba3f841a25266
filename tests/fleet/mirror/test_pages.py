"""The screens as a browser asks for them: by address only, told of changes, nothing kept."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fleet.mirror.catalogue import Catalogue
from fleet.mirror.pages import STAFF, MirrorPages
from fleet.mirror.shown_log import ShownLog
from tests.fleet.mirror.shop import EPC, a_catalogue, tryon

ORIGIN = "http://127.0.0.1:8090"


@pytest.fixture
def pages(tmp_path: Path) -> MirrorPages:
    file = a_catalogue(tmp_path / "shop")
    return MirrorPages(Catalogue(file), tmp_path / "mirror", ShownLog(tmp_path / "mirror" / "shown.jsonl"))


def browser(pages: MirrorPages) -> TestClient:
    return TestClient(pages.app(), base_url=ORIGIN)


def test_what_a_screen_exchanges_parts_with_is_loaded_before_it_is_told_of_changes(
    pages: MirrorPages,
) -> None:
    """A change that came before htmx would be lost: scripts run in their order."""
    for address in (pages.address("room 1"), pages.address(STAFF)):
        scripts = re.findall(
            r'<script src="[^"]*/([\w.]+)(?:\?[^"]*)?" defer>', browser(pages).get(address).text
        )
        assert scripts.index("htmx.min.js") < scripts.index("mirror.js")


def posted(client: TestClient, path: str, origin: str = ORIGIN, **fields: str):  # type: ignore[no-untyped-def]
    return client.post(path, data={"token": "", **fields}, headers={"Origin": origin})


def test_a_screen_shows_what_is_tried_on_and_the_staff_see_it_and_the_call(pages: MirrorPages) -> None:
    client, room, staff = browser(pages), pages.address("room 1"), pages.address(STAFF)
    assert "Bring a garment" in client.get(room).text
    pages.take([tryon("COAT-1")])
    text = client.get(f"{room}/now").text
    for said in (
        "Black coat",
        "90.00 EUR",
        "<s>120.00</s>",
        "25 % off",
        "S, M, L",
        "Ankle boots",
        "Dark jacket",
    ):
        assert said in text, said
    assert "Black overcoat" not in text, "out of stock"
    picture = client.get(f"{room}/pictures/COAT-1")
    assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
    assert client.get(f"{room}/pictures/BAG-1").status_code == 404
    assert "somebody is wanted" not in client.get(staff).text
    assert "Somebody has been called" in posted(client, f"{room}/call").text
    assert "room 1: somebody is wanted" in client.get(staff).text
    assert posted(client, f"{room}/coming", room="room 1").status_code == 403
    assert "somebody is wanted" not in posted(client, f"{staff}/coming", room="room 1").text
    assert 'id="call"' in client.get(room).text


def test_an_address_opens_one_screen_and_other_pages_change_nothing(pages: MirrorPages) -> None:
    client = browser(pages)
    room, other = pages.address("room 1"), pages.address("room 2")
    assert client.get(room.replace("room%201", "room%202")).status_code == 404
    assert client.get(f"/{'0' * 32}/staff").status_code == 404
    pages.take([tryon("COAT-1")])
    assert "Black coat" not in client.get(other).text
    assert posted(client, f"{room}/call", origin="http://evil.example").status_code == 403
    assert client.get(room, headers={"Host": "evil.example"}).status_code == 421


def test_addresses_stay_after_a_restart(pages: MirrorPages, tmp_path: Path) -> None:
    again = MirrorPages(pages.catalogue, tmp_path / "mirror", ShownLog(None))
    assert again.address("room 1") == pages.address("room 1")
    other = MirrorPages(pages.catalogue, tmp_path / "other", ShownLog(None))
    assert other.address("room 1") != pages.address("room 1")


def test_a_garment_that_the_catalogue_has_not_is_said_and_staff_can_be_called(pages: MirrorPages) -> None:
    client, room = browser(pages), pages.address("room 1")
    pages.take([tryon("STRANGE-1")])
    assert "not in the catalogue" in client.get(room).text
    assert "Somebody has been called" in posted(client, f"{room}/call").text
    assert "not in the catalogue" in client.get(pages.address(STAFF)).text


def test_titles_are_text_whatever_they_say(tmp_path: Path) -> None:
    listed = "sku,title\nA&B/1,<script>alert(1)</script>\n"
    file = a_catalogue(tmp_path / "shop")
    from fleet.mirror.building import build

    (tmp_path / "evil.csv").write_text(listed)
    build(file, tmp_path / "evil.csv")
    pages = MirrorPages(Catalogue(file), tmp_path / "mirror", ShownLog(None))
    pages.take([tryon("A&B/1")])
    text = browser(pages).get(pages.address("room 1")).text
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text


def test_nothing_is_kept_after_the_visit(pages: MirrorPages, tmp_path: Path) -> None:
    client, room = browser(pages), pages.address("room 1")
    fact = tryon("COAT-1", number=4711)
    pages.take([fact])
    client.get(room)
    posted(client, f"{room}/call")
    posted(client, f"{room}/tapped/BOOT-1")
    pages.take([tryon("COAT-1", number=4711, open=False, rev=1)])
    assert "Bring a garment" in client.get(room).text
    assert "No garment" in client.get(pages.address(STAFF)).text
    secrets = (EPC.format(4711), fact.visitor or "", fact.key, "room 1")
    files = [file for file in (tmp_path / "mirror").rglob("*") if file.is_file()]
    assert {file.name for file in files} == {"mirror.key", "shown.jsonl"}
    written = b"".join(file.read_bytes() for file in files)
    assert not [secret for secret in secrets if secret.encode() in written]
    assert re.findall(rb'"shown":"BOOT-1".*"tapped":true', written)
    held = repr([vars(part) for part in (pages, pages.rooms, pages._log, pages._feed)])
    assert not [secret for secret in secrets if secret in held], held


def test_a_list_stays_as_it_is_while_somebody_looks_and_two_rankers_are_compared(
    pages: MirrorPages, tmp_path: Path
) -> None:
    compared = MirrorPages(
        pages.catalogue, tmp_path / "m2", ShownLog(tmp_path / "m2" / "shown.jsonl"), random.Random(3)
    )
    client, room = browser(compared), compared.address("room 1")
    compared.take([tryon("COAT-1")])
    texts = {client.get(f"{room}/now").text for _ in range(5)}
    assert len(texts) == 1
    log = (tmp_path / "m2" / "shown.jsonl").read_text()
    assert log.count('"ranker":"popular"') >= 1 and log.count('"ranker":"together"') >= 1
    assert log.count('"position":1') == 2, "each list is noted once"


def test_a_screen_says_that_its_catalogue_cannot_be_read(pages: MirrorPages, tmp_path: Path) -> None:
    client, room = browser(pages), pages.address("room 1")
    pages.take([tryon("COAT-1")])
    pages.catalogue._db.close()
    answer = client.get(room)
    assert answer.status_code == 503 and "the catalogue cannot be read" in answer.text


def test_an_address_of_strange_letters_is_no_screen(pages: MirrorPages) -> None:
    assert browser(pages).get("/schl%C3%BCssel/room%201").status_code == 404
