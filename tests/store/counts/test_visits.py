from __future__ import annotations

import itertools
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from runtime.store.counts.entrances import Crossing
from runtime.store.counts.visits import MAX_VISITORS, VisitBook, VisitorIds, next_midnight_s

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON_S = 1_795_320_000.0
"""2026-11-22 12:00 in Shanghai."""


def counting() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"v{next(numbers)}"


def test_midnight_is_the_shops_own() -> None:
    assert next_midnight_s(NOON_S, SHANGHAI) == NOON_S + 12 * 3600


def test_a_day_of_25_hours_ends_at_its_own_midnight() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    midnight_s = 1_792_879_200.0
    assert next_midnight_s(midnight_s, berlin) - midnight_s == 25 * 3600


def test_an_id_lasts_the_day_and_no_longer() -> None:
    ids = VisitorIds(counting(), SHANGHAI, 24.0)
    before = ids.of(1, NOON_S + 12 * 3600 - 1)
    assert ids.of(1, NOON_S + 12 * 3600 - 2) == before
    assert ids.of(1, NOON_S + 12 * 3600 + 1) != before


def test_ids_are_forgotten_after_the_hours_configured() -> None:
    ids = VisitorIds(counting(), SHANGHAI, 2.0)
    first = ids.of(1, NOON_S)
    assert ids.of(1, NOON_S + 3600) == first
    assert ids.of(1, NOON_S + 2.1 * 3600) != first


def test_remembered_visitors_are_bounded() -> None:
    ids = VisitorIds(counting(), SHANGHAI, 12.0)
    first = ids.of(0, NOON_S)
    for person in range(1, MAX_VISITORS + 1):
        ids.of(person, NOON_S)
    assert ids.of(0, NOON_S) != first


def test_going_out_tells_how_long_the_visit_was() -> None:
    book = VisitBook(VisitorIds(counting(), SHANGHAI, 12.0))
    came = book.add(Crossing("door", 1, "in", NOON_S))
    went = book.add(Crossing("door", 1, "out", NOON_S + 90))
    assert (came.visitor, came.stay_s) == ("v1", None)
    assert (went.visitor, went.stay_s) == ("v1", pytest.approx(90.0))


def test_a_visit_over_midnight_links_no_two_ids() -> None:
    book = VisitBook(VisitorIds(counting(), SHANGHAI, 24.0))
    came = book.add(Crossing("door", 1, "in", NOON_S + 12 * 3600 - 60))
    went = book.add(Crossing("door", 1, "out", NOON_S + 12 * 3600 + 60))
    assert went.visitor != came.visitor
    assert went.stay_s is None


def test_a_crossing_taken_back_retracts_the_visit_under_its_key() -> None:
    book = VisitBook(VisitorIds(counting(), SHANGHAI, 12.0))
    told = book.add(Crossing("door", 1, "out", NOON_S, inferred=True))
    back = book.add(Crossing("door", 1, "out", NOON_S, inferred=True, retracted=True))
    assert (back.key, back.rev, back.retracted) == (told.key, 1, True)
