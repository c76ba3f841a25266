"""The embedded engine: of each fact the highest revision holds, in every layer, after every batch."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.facts import Attributes, Heatmap
from contract.shop import FixturePlace
from fleet.embedded.warehouse import Warehouse
from fleet.errors import FleetError
from fleet.ingest.sources import Line

from .lines import (
    NOON_S,
    ORIGIN,
    dwell,
    event,
    flip,
    footfall,
    interaction,
    rows,
    sale,
    setup,
    taken,
    tryon,
)

HOUR_S = 3600.0
RACK = (FixturePlace("rack", "rack", ((0.0, 0.0),), "racks"),)
ENTERED = "SELECT local_day, local_hour, entered FROM dws_footfall_hour"


def heat(zones: dict[str, float], **more: object) -> Heatmap:
    return Heatmap(
        key="heat",
        time_s=NOON_S,
        start_s=NOON_S,
        end_s=NOON_S + 60,
        zones=zones,
        cells=(),
        origin_m=(0.0, 0.0),
        cell_m=1.0,
        **more,  # type: ignore[arg-type]
    )


def test_the_highest_revision_holds_in_whichever_order_they_come() -> None:
    told = [event(footfall(entered, rev=rev), rev + 1) for rev, entered in enumerate((3, 5, 4))]
    for order in itertools.permutations(told):
        assert rows(taken(order), ENTERED) == [("2026-10-25", 12, 4)]


def test_what_is_withdrawn_counts_no_more_and_again_when_it_holds_again() -> None:
    warehouse = taken([event(footfall(3)), event(footfall(3, rev=1, retracted=True), 2)])
    assert rows(warehouse, ENTERED) == []
    taken([event(footfall(3), 3)], warehouse)
    assert rows(warehouse, ENTERED) == [], "an old revision that comes late does not bring it back"
    taken([event(footfall(3, rev=2), 4)], warehouse)
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 3)]


def test_a_revision_that_moves_a_fact_to_another_day_takes_it_from_the_first() -> None:
    moved = footfall(3, start_s=NOON_S - 13 * HOUR_S, rev=1)
    warehouse = taken([event(footfall(3)), event(moved, 2)])
    assert rows(warehouse, ENTERED) == [("2026-10-24", 23, 3)]


def test_the_same_again_is_a_duplicate_and_another_under_its_revision_is_refused() -> None:
    warehouse = taken([event(footfall(3)), event(footfall(3), 9), event(footfall(8), 10)])
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 3)]
    found = warehouse.counters()
    assert (found["events"], found["duplicates"], found["refused"]) == (3, 1, 1)
    assert rows(warehouse, "SELECT kind, site, rev FROM refused") == [("footfall", "plaza", 0)]


def test_zones_that_a_revision_does_not_list_any_more_are_gone_and_do_not_come_back() -> None:
    old, new = heat({"a": 5.0, "b": 7.0}), heat({"a": 5.0}, rev=1)
    for order in itertools.permutations([event(old), event(new, 2)]):
        found = rows(taken(order), "SELECT zone_name, person_s FROM dws_heat_hour")
        assert found == [("a", 5.0)]
    gone = taken([event(old), event(heat({}, rev=1, retracted=True), 2)])
    assert rows(gone, "SELECT * FROM dws_heat_hour") == []
    other = taken([event(old), event(heat({"a": 5.0, "b": 8.0}), 2)])
    assert other.counters()["refused"] == 1


@pytest.mark.parametrize(
    ("timezone", "time_s", "day", "hour"),
    [
        ("Asia/Kolkata", NOON_S, "2026-10-25", 17),
        ("Asia/Kathmandu", NOON_S + 6.5 * HOUR_S, "2026-10-26", 0),
        ("Europe/Berlin", NOON_S - 11.5 * HOUR_S, "2026-10-25", 2),  # summer time, 00:30 UTC
        ("Europe/Berlin", NOON_S - 10.5 * HOUR_S, "2026-10-25", 2),  # the same hour once more, winter time
        ("America/New_York", NOON_S - 8.5 * HOUR_S, "2026-10-24", 23),
    ],
)
def test_days_and_hours_are_those_of_the_store_also_where_its_zone_becomes_known_late(
    timezone: str, time_s: float, day: str, hour: int
) -> None:
    told = [event(setup(timezone)), event(footfall(3, start_s=time_s), 2)]
    for order in (told, reversed(told)):
        assert rows(taken(order), ENTERED) == [(day, hour, 3)]


def test_the_newest_setup_says_the_time_zone_and_listed_rows_move_with_their_facts() -> None:
    newer = setup("Asia/Shanghai", NOON_S, fixtures=())
    told = [event(heat({"a": 1.0})), event(newer, 2), event(setup("UTC"), 3)]
    for order in itertools.permutations(told):
        found = rows(taken(order), "SELECT local_day, local_hour FROM dws_heat_hour")
        assert found == [("2026-10-25", 20)]


def test_a_time_zone_that_does_not_exist_leaves_the_days_as_they_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    warehouse = taken([event(footfall(3)), event(setup("Mars/Olympus"), 2)])
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 3)]
    assert "'Mars/Olympus' is no time zone" in caplog.text


def test_an_interaction_that_changes_its_visitor_leaves_the_first_and_counts_for_the_other() -> None:
    told = [event(flip()), event(interaction("a"), 2), event(interaction("b", rev=1), 3)]
    told += [event(flip(NOON_S - 20 * HOUR_S, rev=1), 4)]
    who = "SELECT local_day, touches, matched, visitors FROM dws_match_day"
    for order in itertools.permutations(told):
        assert rows(taken(order), who) == [("2026-10-24", 1, 1, 1)]
    nobody = taken([*told, event(interaction(None, rev=2), 5)])
    assert rows(nobody, who) == [("2026-10-24", 1, 0, 0)]


def test_an_article_moves_to_another_zone_by_stock_list_or_layout_and_all_days_follow() -> None:
    racks = (
        FixturePlace("rack 1", "rack", ((0.0, 0.0),), "left"),
        FixturePlace("rack 2", "rack", ((1.0, 0.0),), "right"),
    )
    stock = {"kind": "stock", "site": ORIGIN.site, "key": "shirt", "sku": "SHIRT", "fixture": "rack 1"}
    warehouse = taken(
        [
            event(dwell("v", "left")),
            event(dwell("w", "right", NOON_S - 24 * HOUR_S), 2),
            json.dumps(stock).encode(),
            event(setup(fixtures=racks), 3),
        ]
    )
    seen = "SELECT local_day, sku, seen_near FROM ads_funnel_day ORDER BY local_day"
    assert rows(warehouse, seen) == [("2026-10-25", "SHIRT", 1)]
    taken([json.dumps(stock | {"rev": 1, "fixture": "rack 2"}).encode()], warehouse)
    assert rows(warehouse, seen) == [("2026-10-24", "SHIRT", 1)]
    swapped = (FixturePlace("rack 2", "rack", ((1.0, 0.0),), "left"),)
    taken([event(setup(time_s=NOON_S, fixtures=swapped), 4)], warehouse)
    assert rows(warehouse, seen) == [("2026-10-25", "SHIRT", 1)]


def test_a_try_on_is_one_fact_while_open_and_after_and_what_became_of_it_is_found_over_midnight() -> None:
    ends = "SELECT is_open, bought_s, put_back_s FROM ads_tryon_end"
    warehouse = taken([event(tryon(open=True))])
    assert rows(warehouse, ends) == [(1, None, None)]
    taken([event(tryon(rev=1), 2), sale(NOON_S + 13 * HOUR_S)], warehouse)
    assert rows(warehouse, ends) == [(0, NOON_S + 13 * HOUR_S, None)]
    taken([sale(NOON_S + 13 * HOUR_S, rev=1, retracted=True)], warehouse)
    taken([event(flip(NOON_S + 20 * HOUR_S, key="flip/back"), 3)], warehouse)
    assert rows(warehouse, ends) == [(0, None, NOON_S + 20 * HOUR_S)]
    assert rows(warehouse, "SELECT tried_on, bought FROM dws_sku_stage_day WHERE tried_on") == [(1, 0)]


def test_attributes_of_few_persons_do_not_come_in_whoever_sends_them() -> None:
    told = Attributes(
        key="a",
        time_s=NOON_S,
        entrance="door",
        start_s=NOON_S,
        end_s=NOON_S,
        attribute="age",
        counts={"old": 40},
    )
    few = event(told).replace(b'"old":40', b'"old":40,"young":19')
    found = rows(taken([few]), "SELECT class_name, persons FROM dws_attribute_day")
    assert found == [("old", 40)]


def test_what_cannot_be_read_or_is_not_known_is_counted_and_the_batch_goes_on() -> None:
    lines = [b"{", b'{"kind":"mood"}', b'{"kind":"visit"}', event(footfall(2)), b'{"kind":"sale","site":""}']
    warehouse = Warehouse(":memory:")
    assert warehouse.take("test", [Line(at, line) for at, line in enumerate(lines, 1)]) == 5
    found = warehouse.counters()
    assert (found["unreadable"], found["unknown_kind"], found["events"]) == (3, 1, 1)
    assert warehouse.progress("test") == 5 and rows(warehouse, ENTERED)


def test_a_batch_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.db")

    def broken() -> Iterator[Line]:
        yield Line(1, event(footfall(2)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warehouse.take("test", broken())
    assert warehouse.progress("test") == 0 and rows(warehouse, ENTERED) == []
    taken([event(footfall(2))], warehouse)
    warehouse.close()
    again = Warehouse(tmp_path / "w.db")
    assert again.progress("test") == 1 and rows(again, ENTERED) == [("2026-10-25", 12, 2)]
    taken([event(setup("Asia/Kolkata"), 2), event(footfall(5, rev=1), 3)], again)
    again.close()
    assert rows(Warehouse(tmp_path / "w.db"), ENTERED) == [("2026-10-25", 17, 5)]


def test_a_file_that_is_no_warehouse_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE mine (a)")
    with pytest.raises(FleetError, match="no warehouse of this version of tagsight; give another --db"):
        Warehouse(file)
    (tmp_path / "text.db").write_text("not a database, only a text of some length" * 20)
    with pytest.raises(FleetError, match="cannot be used as a warehouse"):
        Warehouse(tmp_path / "text.db")
    with sqlite3.connect(file) as db:
        assert [row[0] for row in db.execute("SELECT name FROM sqlite_master")] == ["mine"]


def test_when_a_fact_came_is_when_it_came_first_in_whichever_order_the_same_lines_are_read() -> None:
    late = "SELECT facts, late FROM dws_lateness_day"
    for moments in ((NOON_S + 100, NOON_S + 5000), (NOON_S + 5000, NOON_S + 100)):
        warehouse = Warehouse(":memory:")
        for seq, came_s in enumerate(moments, 1):
            warehouse.take("test", [Line(seq, event(footfall(3), seq), came_s)])
        assert rows(warehouse, late) == [(1, 0)]


def test_two_that_write_one_file_know_of_each_others_time_zones_and_closed_days(tmp_path: Path) -> None:
    one, other = Warehouse(tmp_path / "w.db"), Warehouse(tmp_path / "w.db")
    taken([event(dwell())], other)
    taken([event(setup("Asia/Kolkata"), 2)], one)
    other.take("live", [Line(1, event(footfall(3), 3))])
    assert rows(one, ENTERED) == [("2026-10-25", 17, 3)]
    assert rows(one, "SELECT local_hour FROM ods_dwell") == [(17,)]
    one.erase(NOON_S + 5 * 86_400, visitor_days=1)
    other.take("live", [Line(2, event(footfall(9, rev=1), 4))])
    assert rows(one, ENTERED) == [("2026-10-25", 17, 3)]
    one.close()
    other.close()


def test_a_time_zone_that_a_failed_batch_had_told_holds_no_more(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.db")

    def broken() -> Iterator[Line]:
        yield Line(1, event(setup("Asia/Kolkata")))
        yield Line(2, event(footfall(8), 2))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warehouse.take("test", broken())
    taken([event(footfall(3), 3)], warehouse)
    assert rows(warehouse, ENTERED) == [("2026-10-25", 12, 3)]
    assert warehouse.counters()["events"] == 1
    warehouse.close()


def test_a_warehouse_of_the_last_version_goes_on_with_all_that_is_in_it(tmp_path: Path) -> None:
    """That one did not keep where a store's things stand: it is told at the box's next start."""
    file = tmp_path / "w.db"
    taken([event(footfall(3))], Warehouse(file)).close()
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA writable_schema=ON")
        db.execute(
            "UPDATE sqlite_master SET sql = replace(replace(sql, ', layout TEXT', ''), ', layout', '')"
            " WHERE name IN ('ods_store', 'dwd_store')"
        )
        db.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'read_count', 'reads')"
            " WHERE name IN ('ods_tryon', 'dwd_tryon')"
        )
        db.execute("PRAGMA user_version=1")
    db.close()
    again = taken([event(setup("Asia/Kolkata", NOON_S, fixtures=RACK), 3)], Warehouse(file))
    assert rows(again, ENTERED) == [("2026-10-25", 17, 3)]
    ((now,),) = rows(again, "SELECT layout FROM dwd_store")
    assert json.loads(now)["fixtures"][0]["name"] == "rack"
    again.close()
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version=9")
    db.close()
    with pytest.raises(FleetError, match="no warehouse of this version of tagsight"):
        Warehouse(file)
