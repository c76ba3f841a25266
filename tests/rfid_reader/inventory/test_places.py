"""Where tags hang: arrived, moved and departed, of levels alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rfid_reader.inventory import places as tag_places
from rfid_reader.inventory.levels import PERIOD_S, Levels
from rfid_reader.inventory.places import Antenna, PlaceRules, StockChange, TagPlace, TagPlaces

RULES = PlaceRules(margin_db=3.0, change_db=3.0, hold_s=60.0, gone_s=300.0)
PLACES: dict[Antenna, str] = {("r", 1): "shirts", ("r", 2): "coats"}
OTHERS = {f"0{number}": ((1, 10, -50.0), (2, 10, -60.0)) for number in range(5)} | {
    f"1{number}": ((1, 10, -60.0), (2, 10, -50.0)) for number in range(5)
}
AT_SHIRTS: Levels = ((1, 10, -48.0), (2, 8, -58.0))
AT_COATS: Levels = ((1, 8, -59.0), (2, 10, -49.0))
IN_THE_SHADE: Levels = ((1, 4, -62.0), (2, 8, -58.0))
HALF_WAY: Levels = ((1, 10, -54.0), (2, 10, -53.0))
UNREAD: Levels = ()


class Shop:
    """Ten tags that hang still, and one, "aa", that is told by the scene."""

    def __init__(self, places: TagPlaces | None = None) -> None:
        self.places = places or TagPlaces(PLACES, RULES)
        self.now_s = 1_000.0
        self.told: list[StockChange] = []

    def passes(self, seconds: float, levels: Levels, others: dict[str, Levels] | None = None) -> None:
        self.flickers(seconds, lambda _: levels, others)

    def flickers(
        self, seconds: float, levels: Callable[[int], Levels], others: dict[str, Levels] | None = None
    ) -> None:
        for slot in range(round(seconds / PERIOD_S)):
            self.now_s += PERIOD_S
            tags = dict(OTHERS if others is None else others)
            if levels(slot):
                tags["aa"] = levels(slot)
            self.places.hear("r", tags.items(), self.now_s)
            self.told += self.places.judge(self.now_s)

    def of_it(self) -> list[tuple[str, str | None, str | None]]:
        return [(one.change, one.previous, one.place) for one in self.told if one.epc == "aa"]

    def moves(self) -> list[StockChange]:
        return [one for one in self.told if one.change != "arrived"]


ARRIVED = ("arrived", None, "shirts")
MOVED = ("moved", "shirts", "coats")


@pytest.fixture
def shop() -> Shop:
    one = Shop()
    one.passes(300, AT_SHIRTS)
    return one


def test_a_tag_that_is_read_at_a_place_for_long_enough_has_arrived_there(shop: Shop) -> None:
    assert shop.of_it() == [ARRIVED]
    assert {tag.place for tag in shop.places.whereabouts() if tag.epc[0] == "1"} == {"coats"}
    assert shop.places.level_dbm("aa") == pytest.approx(-48.0)


def test_a_garment_that_is_carried_past_does_not_arrive() -> None:
    shop = Shop()
    shop.passes(100, UNREAD)
    shop.passes(30, AT_SHIRTS)
    shop.passes(100, UNREAD)
    assert shop.of_it() == []


def test_a_tag_that_hangs_elsewhere_has_moved_once(shop: Shop) -> None:
    shop.passes(300, AT_COATS)
    assert shop.of_it() == [ARRIVED, MOVED]
    assert shop.told[-1].time_s <= 1_300.0 + RULES.hold_s


def test_and_back_again(shop: Shop) -> None:
    shop.passes(100, AT_COATS)
    shop.passes(100, AT_SHIRTS)
    assert shop.of_it() == [ARRIVED, MOVED, ("moved", "coats", "shirts")]


def test_a_garment_that_is_carried_to_another_rack_and_back_has_not_moved(shop: Shop) -> None:
    for _ in range(5):
        shop.passes(30, AT_COATS)
        shop.passes(40, AT_SHIRTS)
    assert shop.of_it() == [ARRIVED]


def test_somebody_who_stands_before_the_antenna_for_minutes_moves_nothing(shop: Shop) -> None:
    shop.passes(600, IN_THE_SHADE)
    assert shop.of_it() == [ARRIVED]


def test_a_tag_half_way_between_two_racks_stays_where_it_is(shop: Shop) -> None:
    shop.flickers(900, lambda slot: HALF_WAY if slot % 3 else AT_SHIRTS)
    assert shop.of_it() == [ARRIVED]


def test_a_tag_that_its_own_antenna_reads_no_more_is_where_another_reads_it_faintly(shop: Shop) -> None:
    shop.passes(120, ((2, 4, -64.0),))
    assert shop.of_it() == [ARRIVED, MOVED]


def test_single_strong_reads_of_another_antenna_are_nothing(shop: Shop) -> None:
    shop.passes(300, ((1, 10, -48.0), (2, 1, -40.0)))
    assert shop.of_it() == [ARRIVED]


def test_a_tag_that_nobody_reads_any_more_has_departed_and_may_arrive_again(shop: Shop) -> None:
    shop.passes(RULES.gone_s - 10, UNREAD)
    assert shop.of_it() == [ARRIVED]
    shop.passes(20, UNREAD)
    assert shop.of_it() == [ARRIVED, ("departed", "shirts", None)]
    shop.passes(100, AT_COATS)
    assert shop.of_it()[-1] == ("arrived", None, "coats")


def test_a_garment_that_comes_back_in_time_was_never_away(shop: Shop) -> None:
    shop.passes(240, UNREAD)
    shop.passes(240, AT_SHIRTS)
    shop.passes(240, UNREAD)
    assert shop.of_it() == [ARRIVED]


def test_a_reader_that_is_away_stops_the_clock(shop: Shop) -> None:
    shop.passes(250, UNREAD)
    shop.now_s += 36_000.0
    shop.passes(30, UNREAD)
    assert not shop.moves()
    shop.passes(40, UNREAD)
    assert [one.epc for one in shop.moves()] == ["aa"]


def test_an_antenna_that_is_dead_lets_nothing_depart(shop: Shop) -> None:
    of_coats = {epc: levels[1:] for epc, levels in OTHERS.items()}
    shop.passes(3_600, UNREAD, {epc: levels for epc, levels in of_coats.items() if epc[0] == "1"})
    assert not shop.moves()


def test_the_last_garments_of_a_rack_depart_like_others(shop: Shop) -> None:
    left = {epc: levels for epc, levels in OTHERS.items() if epc[0] == "1" or epc == "00"}
    shop.passes(400, UNREAD, left)
    assert {one.epc for one in shop.moves()} == {"aa", "01", "02", "03", "04"}
    shop.passes(400, UNREAD, {epc: ((2, 10, -50.0),) for epc in left if epc[0] == "1"})
    assert {one.epc for one in shop.moves()} == {"aa", "00", "01", "02", "03", "04"}


def test_a_tag_that_is_read_once_a_minute_is_waited_for_longer() -> None:
    shop = Shop()
    shop.passes(100, AT_SHIRTS)
    shop.flickers(3_600, lambda slot: AT_SHIRTS if slot % 12 == 0 else UNREAD)
    shop.passes(600, UNREAD)
    assert shop.of_it() == [ARRIVED]
    shop.passes(600, UNREAD)
    assert shop.of_it()[-1] == ("departed", "shirts", None)


def restarted(shop: Shop, places: dict[Antenna, str]) -> Shop:
    again = Shop(TagPlaces(places, RULES, shop.places.whereabouts()))
    again.now_s = shop.now_s + 3_600.0
    return again


def test_after_a_restart_nothing_arrives_or_departs_anew(shop: Shop) -> None:
    again = restarted(shop, PLACES)
    assert again.places.whereabouts() == shop.places.whereabouts()
    again.passes(250, UNREAD)
    again.passes(300, AT_SHIRTS)
    assert again.told == []


def test_what_was_moved_while_the_box_was_off_is_told(shop: Shop) -> None:
    again = restarted(shop, PLACES)
    again.passes(100, AT_COATS)
    assert [(one.epc, one.change, one.place) for one in again.told] == [("aa", "moved", "coats")]


def test_a_place_that_got_another_name_moves_its_tags(shop: Shop) -> None:
    again = restarted(shop, {("r", 1): "blouses", ("r", 2): "coats"})
    again.passes(200, AT_SHIRTS)
    assert {(one.epc, one.change, one.previous, one.place) for one in again.told} == {
        (epc, "moved", "shirts", "blouses") for epc in ("aa", "00", "01", "02", "03", "04")
    }


def test_a_tag_of_a_place_that_is_no_more_departs_when_nobody_reads_it(shop: Shop) -> None:
    again = restarted(shop, {("r", 1): "blouses", ("r", 2): "coats"})
    again.passes(RULES.gone_s + 10, UNREAD)
    assert ("departed", "shirts", None) in again.of_it()


def test_other_antennas_while_it_runs_keep_tags_where_they_are(shop: Shop) -> None:
    shop.places.apply({**PLACES, ("r", 3): "shoes"})
    shop.passes(300, AT_SHIRTS)
    assert not shop.moves() and shop.of_it() == [ARRIVED]


def test_antennas_of_two_readers_are_compared() -> None:
    places = TagPlaces({("r", 1): "shirts", ("q", 1): "coats"}, RULES)
    told: list[StockChange] = []
    for slot in range(80):
        ours, theirs = (-48.0, -60.0) if slot < 40 else (-60.0, -48.0)
        told += places.hear("r", [("aa", ((1, 9, ours),)), ("bb", ((1, 9, -50.0),))], slot * PERIOD_S)
        told += places.hear("q", [("aa", ((1, 9, theirs),)), ("cc", ((1, 9, -50.0),))], slot * PERIOD_S)
    assert [(one.change, one.place) for one in told if one.epc == "aa"] == [
        ("arrived", "shirts"),
        ("moved", "coats"),
    ]
    assert {one.place for one in told if one.epc == "cc"} == {"coats"}


def test_a_reader_that_is_lost_beside_another_moves_nothing() -> None:
    places = TagPlaces({("r", 1): "shirts", ("q", 1): "coats"}, RULES)
    told: list[StockChange] = []
    for slot in range(400):
        if slot < 40:
            tags = [(epc, ((1, 9, -48.0),)) for epc in ("aa", "bb", "dd")]
            told += places.hear("r", tags, slot * PERIOD_S)
        told += places.hear("q", [("aa", ((1, 9, -60.0),)), ("cc", ((1, 9, -50.0),))], slot * PERIOD_S)
    assert {(one.epc, one.change) for one in told} == {(epc, "arrived") for epc in ("aa", "bb", "cc", "dd")}


def test_an_antenna_without_a_place_keeps_a_tag_from_departing(shop: Shop) -> None:
    shop.passes(3_600, ((9, 10, -50.0),))
    assert shop.of_it() == [ARRIVED]


def test_more_tags_than_can_be_followed_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_places, "MAX_TAGS", 8)
    shop = Shop()
    shop.passes(100, AT_SHIRTS)
    assert len(shop.places) == 8 and shop.places.refused > 0


def test_ghosts_make_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_places, "MAX_TAGS", 40)
    places = TagPlaces(PLACES, RULES)
    for slot in range(200):
        tags = {**OTHERS, f"f{slot:03x}": ((1, 1, -70.0),)}
        places.hear("r", tags.items(), slot * PERIOD_S)
        places.judge(slot * PERIOD_S)
    assert len(places) == 10 and places.refused == 0


def test_without_places_nothing_is_told() -> None:
    shop = Shop(TagPlaces({}, RULES, [TagPlace("aa", "shirts", 1.0)]))
    shop.passes(200, AT_SHIRTS)
    assert shop.told == []
