"""Try-ons: a tag that a fitting room's antenna reads for long enough, and who took it in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timezone
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.facts import TryOn
from runtime.config.epcs import Article, ArticleTable
from runtime.messages import TagPresence
from runtime.store.floorplan import AntennaCoverage, FloorPlan, Place
from runtime.store.garments import tryon
from runtime.store.garments.tryon import AFTER_S, LEAST_S, SILENCE_S, TryOnBook
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import Position
from runtime.store.people.paths import RecentPaths
from runtime.store.people.visitors import VisitorIds

ROOM = Place("cabin", "zone", ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)))
PLAN = FloorPlan(
    extent_m=(0.0, 0.0, 10.0, 10.0),
    articles=ArticleTable([("aa*", Article("shirt", "rack"))]),
    antennas={("reader", 1): AntennaCoverage(ROOM, "cabin"), ("reader", 2): AntennaCoverage(None)},
    rooms={"cabin": ROOM},
)
BEGIN_S = 1_000_000.0


def book_of(paths: RecentPaths | None = None, plan: FloorPlan = PLAN) -> TryOnBook:
    numbers: Iterator[int] = count(1)
    ids = VisitorIds(lambda: f"v{next(numbers)}", timezone.utc, 12.0)
    return TryOnBook(plan, paths or RecentPaths(), ids)


def presence(
    first_s: float, last_s: float, *, gone: bool = False, antenna: int = 1, epc: str = "aa01"
) -> TagPresence:
    return TagPresence("reader", antenna, epc, BEGIN_S + first_s, BEGIN_S + last_s, 12, gone)


def walk(paths: RecentPaths, person: int, x_m: float, y_m: float, span: tuple[float, float]) -> None:
    for time_s in np.arange(*span, 0.2):
        position = Position(BEGIN_S + float(time_s), x_m, y_m)
        paths.observe([TrackPoint(person, ("cam", person), position, True)])


@given(st.floats(0.0, 200.0))
def test_a_stay_counts_from_ten_seconds_on(stay_s: float) -> None:
    found = book_of().observe(presence(0.0, stay_s, gone=True))
    # The times are seconds since 1970: a float has not a nanosecond's room beside them.
    if abs(stay_s - LEAST_S) > 1e-6:
        assert len(found) == (stay_s > LEAST_S)
    for fact in found:
        assert fact.end_s - fact.start_s == pytest.approx(stay_s, abs=1e-6)


def test_what_it_says() -> None:
    (fact,) = book_of().observe(presence(0.0, 40.0, gone=True))
    assert fact == TryOn(
        key=f"tryon:cabin:aa01:{round(BEGIN_S * 1000)}",
        time_s=BEGIN_S + 40.0,
        epc="aa01",
        sku="shirt",
        room="cabin",
        start_s=BEGIN_S,
        end_s=BEGIN_S + 40.0,
        reads=12,
        visitor=None,
        partial=False,
    )


def test_an_antenna_elsewhere_says_nothing_of_try_ons() -> None:
    book = book_of()
    assert book.observe(presence(0.0, 100.0, gone=True, antenna=2)) == []
    assert book.observe(presence(0.0, 100.0, gone=True, antenna=3)) == []
    assert book.cut() == []


def test_presence_that_goes_on_is_one_try_on() -> None:
    book = book_of()
    told = [book.observe(presence(0.0, last_s)) for last_s in (5.0, 20.0, 60.0)]
    assert [[fact.open for fact in facts] for facts in told] == [[], [True], []]
    (fact,) = book.observe(presence(0.0, 65.0, gone=True))
    assert fact.end_s == BEGIN_S + 65.0
    assert book.cut() == []


def test_it_is_told_as_open_once_it_is_sure_and_closed_by_its_next_revision() -> None:
    paths = RecentPaths()
    walk(paths, 7, 1.0, 1.0, (-4.0, 1.0))
    book = book_of(paths)
    (opened,) = book.observe(presence(0.0, LEAST_S))
    assert (opened.rev, opened.open, opened.end_s, opened.visitor) == (0, True, BEGIN_S + LEAST_S, "v1")
    (closed,) = book.observe(presence(0.0, 40.0, gone=True))
    assert (closed.rev, closed.open, closed.end_s) == (1, False, BEGIN_S + 40.0)
    assert (closed.key, closed.visitor) == (opened.key, opened.visitor)


def test_a_tag_that_comes_back_is_another_try_on_even_if_its_going_was_not_told() -> None:
    book = book_of()
    book.observe(presence(0.0, 30.0))
    (first,) = book.observe(presence(50.0, 55.0))
    assert (first.start_s, first.end_s) == (BEGIN_S, BEGIN_S + 30.0)
    (second,) = book.observe(presence(50.0, 90.0, gone=True))
    assert second.start_s == BEGIN_S + 50.0 and first.key != second.key


def test_a_reader_that_falls_silent_leaves_no_try_on_open_for_ever() -> None:
    book = book_of()
    book.observe(presence(0.0, 30.0))
    assert book.advance(BEGIN_S + 30.0 + SILENCE_S) == []
    (fact,) = book.advance(BEGIN_S + 31.0 + SILENCE_S)
    assert fact.partial and fact.end_s == BEGIN_S + 30.0


def test_what_is_open_at_the_end_is_partial() -> None:
    book = book_of()
    book.observe(presence(0.0, 30.0))
    book.observe(presence(0.0, 3.0, epc="aa02"))
    (fact,) = book.cut()
    assert (fact.epc, fact.partial, fact.open, fact.rev) == ("aa01", True, False, 1)


def test_the_one_person_at_the_room_took_it_in() -> None:
    paths = RecentPaths()
    walk(paths, 7, 1.0, 1.0, (-4.0, 1.0))
    walk(paths, 8, 8.0, 8.0, (-4.0, 1.0))
    book = book_of(paths)
    book.observe(presence(0.0, 4.0))
    book.advance(BEGIN_S + AFTER_S + 2)
    (fact,) = book.observe(presence(0.0, 40.0, gone=True))
    assert fact.visitor == "v1"


@pytest.mark.parametrize("others", [(), ((8, 1.5, 1.5),)], ids=["nobody", "two"])
def test_who_it_was_is_not_guessed(others: tuple[tuple[int, float, float], ...]) -> None:
    paths = RecentPaths()
    for person, x_m, y_m in others:
        walk(paths, person, x_m, y_m, (-4.0, 1.0))
        walk(paths, 7, 1.0, 1.0, (-4.0, 1.0))
    book = book_of(paths)
    book.observe(presence(0.0, 4.0))
    book.advance(BEGIN_S + AFTER_S + 2)
    (fact,) = book.observe(presence(0.0, 40.0, gone=True))
    assert fact.visitor is None


def test_a_room_that_is_on_the_plan_no_more_names_nobody() -> None:
    paths = RecentPaths()
    walk(paths, 7, 1.0, 1.0, (-4.0, 1.0))
    book = book_of(paths)
    book.observe(presence(0.0, 4.0))
    book.plan = FloorPlan(extent_m=PLAN.extent_m)
    book.advance(BEGIN_S + AFTER_S + 2)
    (fact,) = book.cut() or [None]
    assert fact is None, "four seconds are no try-on"


def test_beyond_the_limit_the_tag_read_longest_ago_is_taken_as_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tryon, "MAX_TAGS", 2)
    book = book_of()
    book.observe(presence(0.0, 30.0, epc="aa01"))
    book.observe(presence(0.0, 50.0, epc="aa02"))
    (fact,) = book.observe(presence(60.0, 60.0, epc="aa03"))
    assert fact.epc == "aa01" and not fact.open
    assert {left.epc for left in book.cut()} == {"aa02"}


def test_without_the_article_the_try_on_is_told_all_the_same() -> None:
    (fact,) = book_of().observe(presence(0.0, 20.0, gone=True, epc="bb01"))
    assert (fact.epc, fact.sku) == ("bb01", None)
