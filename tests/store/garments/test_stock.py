"""Stock events of what readers read: facts with the shop's own names."""

from __future__ import annotations

from contract.facts import Inventory
from rfid_reader.inventory.levels import PERIOD_S
from rfid_reader.inventory.places import PlaceRules
from runtime.config.epcs import Article, ArticleTable
from runtime.messages import TagsRead
from runtime.store.floorplan import AntennaCoverage, FloorPlan, Place
from runtime.store.garments.stock import StockBook

RACKS = {name: Place(name, "fixture", ((1.0, 1.0),)) for name in ("rack 1", "rack 2")}
PLAN = FloorPlan(
    extent_m=(0.0, 0.0, 10.0, 10.0),
    fixtures=RACKS,
    articles=ArticleTable([("aa*", Article("shirt", "rack 1"))]),
    antennas={
        ("r", 1): AntennaCoverage(RACKS["rack 1"], stock_place="rack 1"),
        ("r", 2): AntennaCoverage(RACKS["rack 2"], stock_place="rack 2"),
        ("r", 3): AntennaCoverage(None, "cabin"),
    },
)
RULES = PlaceRules(hold_s=60.0, gone_s=300.0)


def feed(book: StockBook, begin_s: float, seconds: float, level_by_port: dict[int, float]) -> list[Inventory]:
    facts: list[Inventory] = []
    for slot in range(int(seconds / PERIOD_S)):
        now_s = begin_s + slot * PERIOD_S
        levels = tuple((port, 9, level) for port, level in level_by_port.items())
        others = tuple((f"bb{number}", ((1, 9, -50.0), (2, 9, -51.0 + number))) for number in range(5))
        facts += book.take(TagsRead("r", now_s, others, more=True))
        facts += book.take(TagsRead("r", now_s, (("aa1", levels),) if levels else ()))
    return facts


def test_a_garment_arrives_moves_and_departs_under_the_shops_names() -> None:
    book = StockBook(PLAN, RULES)
    facts = feed(book, 1_000.0, 300.0, {1: -48.0, 2: -60.0})
    facts += feed(book, 1_300.0, 300.0, {1: -60.0, 2: -48.0})
    facts += feed(book, 1_600.0, 400.0, {})
    own = [fact for fact in facts if fact.epc == "aa1"]
    assert [(fact.change, fact.sku, fact.previous, fact.fixture) for fact in own] == [
        ("arrived", "shirt", None, "rack 1"),
        ("moved", "shirt", "rack 1", "rack 2"),
        ("departed", "shirt", "rack 2", None),
    ]
    assert len({fact.key for fact in facts}) == len(facts) and {fact.rev for fact in facts} == {0}
    assert {fact.sku for fact in facts if fact.epc != "aa1"} == {None}


def test_a_fitting_room_is_no_place_and_what_is_in_it_has_not_departed() -> None:
    book = StockBook(PLAN, RULES)
    feed(book, 1_000.0, 300.0, {1: -48.0, 2: -60.0})
    assert feed(book, 1_300.0, 1_000.0, {3: -40.0}) == []
    assert feed(book, 2_300.0, 300.0, {1: -48.0, 2: -60.0}) == []


def test_half_a_report_of_a_process_that_was_restarted_is_nothing() -> None:
    book = StockBook(PLAN, RULES)
    for slot in range(100):
        book.take(TagsRead("r", slot * PERIOD_S, (("aa1", ((1, 9, -48.0),)),), more=True))
        book.restarted("r")
        book.take(TagsRead("r", slot * PERIOD_S, (("bb1", ((1, 9, -48.0),)),)))
    assert [tag.epc for tag in book.whereabouts()] == ["bb1"]


def test_another_plan_of_the_same_antennas_changes_nothing() -> None:
    book = StockBook(PLAN, RULES)
    feed(book, 1_000.0, 300.0, {1: -48.0, 2: -60.0})
    book.apply_plan(PLAN)
    assert feed(book, 1_300.0, 300.0, {1: -48.0, 2: -60.0}) == [] and len(book) == 6
