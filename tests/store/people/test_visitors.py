"""Visitor ids: one a person and local day, never the same on two days, and no more than are remembered."""

from __future__ import annotations

from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.people import visitors
from runtime.store.people.visitors import VisitorIds, next_midnight_s

ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns")]
SUMMER_2024 = 1_720_000_000.0


def ids(zone: ZoneInfo = ZONES[0], keep_hours: float = 12.0) -> VisitorIds:
    numbers = count(1)
    return VisitorIds(lambda: f"v{next(numbers)}", zone, keep_hours)


@given(st.sampled_from(ZONES), st.floats(0.0, 300 * 86_400.0), st.floats(0.0, 12 * 3600.0))
def test_two_moments_have_one_id_exactly_if_no_midnight_is_between(
    zone: ZoneInfo, offset_s: float, later_s: float
) -> None:
    book, first_s = ids(zone), SUMMER_2024 + offset_s
    is_same_day = first_s + later_s < next_midnight_s(first_s, zone)
    assert (book.of(7, first_s) == book.of(7, first_s + later_s)) == is_same_day


@given(st.sampled_from(ZONES), st.floats(0.0, 300 * 86_400.0))
def test_midnight_is_ahead_and_less_than_a_long_day_away(zone: ZoneInfo, offset_s: float) -> None:
    moment_s = SUMMER_2024 + offset_s
    assert 0 < next_midnight_s(moment_s, zone) - moment_s <= 25 * 3600


def test_two_persons_have_two_ids() -> None:
    book = ids()
    assert len({book.of(person, SUMMER_2024) for person in range(100)}) == 100


def test_an_id_is_given_up_after_the_hours_that_are_configured() -> None:
    book = ids(keep_hours=1.0)
    noon_s = next_midnight_s(SUMMER_2024, ZONES[0]) + 6 * 3600
    first = book.of(1, noon_s)
    assert book.of(1, noon_s + 3600) == first
    assert book.of(1, noon_s + 3601) != first
    book.forget(noon_s + 3 * 3600)
    assert book._ids == {}


def test_who_is_not_who_they_were_taken_for_gets_another_id() -> None:
    book = ids()
    before = book.of(1, SUMMER_2024)
    after = book.renew(1, SUMMER_2024 + 1)
    assert after != before
    assert book.of(1, SUMMER_2024 + 2) == after
    assert book.draw() not in (before, after)


def test_the_one_longest_unmentioned_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "MAX_VISITORS", 2)
    book = ids()
    first = book.of(1, SUMMER_2024)
    second = book.of(2, SUMMER_2024)
    assert book.of(1, SUMMER_2024) == first
    book.of(3, SUMMER_2024)
    assert book.of(1, SUMMER_2024) == first
    assert book.of(2, SUMMER_2024) != second
