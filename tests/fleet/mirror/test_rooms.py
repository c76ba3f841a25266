"""Who is in a room is known while they are there, and not a moment longer."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from fleet.errors import FleetError
from fleet.ingest.consumer.store import CloudStore
from fleet.mirror.catalogue import Catalogue
from fleet.mirror.following import TryOnFollower
from fleet.mirror.rooms import LONGEST_S, MOST_GARMENTS, Rooms
from fleet.mirror.shown_log import ShownLine, ShownLog
from fleet.mirror.suggesting import screen
from tests.fleet.mirror.shop import EPC, a_catalogue, an_outbox, told, tryon

NOW_S = 1_792_886_400.0


def rooms() -> Rooms:
    return Rooms({EPC.format(77): "HAT-1"}.get)


def test_a_garment_comes_goes_and_the_visit_is_forgotten_with_the_last_one() -> None:
    found = rooms()
    assert found.take(tryon("COAT-1", number=1, start_s=NOW_S), NOW_S)
    assert not found.take(tryon("COAT-1", number=1, start_s=NOW_S, rev=1), NOW_S + 1), "the same garment"
    assert found.take(tryon("BAG-1", number=2, start_s=NOW_S + 5), NOW_S + 5)
    assert found.now("room 1").shown == ["BAG-1", "COAT-1"]
    assert found.take(tryon("COAT-1", number=1, open=False, rev=2), NOW_S + 9)
    assert (found.now("room 1").shown, found.now("room 1").tried) == (["BAG-1"], ["COAT-1", "BAG-1"])
    assert found.call("room 1", True) and not found.call("room 1", True)
    assert found.take(tryon("BAG-1", number=2, open=False, rev=1), NOW_S + 20)
    assert found.occupied() == [] and vars(found)["_rooms"] == {}
    assert found.now("room 1").tried == [] and not found.now("room 1").is_called
    assert not found.call("room 1", True), "nobody calls from an empty room"


def test_a_tag_without_an_article_is_looked_up_and_a_withdrawn_try_on_goes() -> None:
    found = rooms()
    assert found.take(tryon(None, number=77, start_s=NOW_S), NOW_S)
    assert found.now("room 1").shown == ["HAT-1"]
    assert not found.take(tryon(None, number=78, start_s=NOW_S), NOW_S)
    assert found.take(msgspec.structs.replace(tryon(None, number=77), retracted=True, rev=1), NOW_S)
    assert found.occupied() == []


def test_an_end_that_was_lost_keeps_nobody_and_old_news_is_not_shown() -> None:
    found = rooms()
    assert not found.take(tryon("COAT-1", start_s=NOW_S - LONGEST_S - 1), NOW_S)
    found.take(tryon("COAT-1", start_s=NOW_S), NOW_S)
    assert found.expire(NOW_S + LONGEST_S) == []
    assert found.expire(NOW_S + LONGEST_S + 1) == ["room 1"]
    assert found.occupied() == []
    for number in range(3 * MOST_GARMENTS):
        found.take(tryon(f"SKU-{number}", number=number, start_s=NOW_S + number), NOW_S + number)
    assert len(found.now("room 1").here) == len(found.now("room 1").tried) == MOST_GARMENTS


def test_a_boxs_outbox_is_followed_from_what_is_there_and_as_it_grows(tmp_path: Path) -> None:
    outbox = an_outbox(tmp_path)
    told(outbox, tryon("COAT-1"))
    follower = TryOnFollower(tmp_path / "outbox.db")
    assert [fact.sku for fact in follower.new()] == ["COAT-1"]
    assert follower.new() == []
    told(outbox, tryon("BAG-1", number=2), tryon("COAT-1", open=False, rev=1))
    assert [(fact.sku, fact.open) for fact in follower.new()] == [("BAG-1", True), ("COAT-1", False)]
    outbox.close(5.0)
    for name in ("outbox.db", "outbox.db-wal", "outbox.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(FleetError, match="cannot be read"):
        follower.new()


def test_a_consumers_store_is_followed_for_one_shop(tmp_path: Path) -> None:
    from contract.envelope import Origin, encode_event

    store = CloudStore(tmp_path / "events.db")
    for number, site in enumerate(("plaza", "harbour"), 1):
        store.take(
            Origin(site, "box-1"),
            [encode_event(tryon(f"SKU-{site}", number=number), Origin(site, "box-1"), 1, NOW_S, "s")],
        )
        store.commit()
    follower = TryOnFollower(tmp_path / "events.db", "harbour")
    assert [fact.sku for fact in follower.new()] == ["SKU-harbour"]


def test_files_that_are_no_events_are_said(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="no events there"):
        TryOnFollower(tmp_path / "none.db")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (y)")
    with pytest.raises(FleetError, match="holds no events"):
        TryOnFollower(tmp_path / "other.db")


def test_the_log_speaks_of_garments_and_a_full_disk_costs_lines_only(tmp_path: Path) -> None:
    found = screen(Catalogue(a_catalogue(tmp_path)), ["COAT-1"], [])
    assert found is not None
    log = ShownLog(tmp_path / "shown.jsonl")
    log.shown("2026-11-02", "coat", found.goes_with)
    log.tapped("2026-11-02", "coat", found.goes_with, "BAG-1")
    lines = [json.loads(line) for line in (tmp_path / "shown.jsonl").read_text().splitlines()]
    assert [(line["shown"], line["position"], line["ranker"]) for line in lines[:2]] == [
        ("BOOT-1", 1, "together"),
        ("BAG-1", 2, "together"),
    ]
    assert (lines[-1]["shown"], lines[-1]["tapped"]) == ("BAG-1", True)
    assert set(ShownLine.__struct_fields__) == {"day", "kind", "shown", "position", "ranker", "tapped"}
    broken = ShownLog(tmp_path / "no folder" / "shown.jsonl")
    broken.shown("2026-11-02", "coat", found.goes_with)
    assert broken.lost == len(found.goes_with)
