"""Flow: a walk from zone to zone counts once, in the interval of its arrival."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.counts import flow
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.flow import WALK_LIMIT_S, FlowCounter
from runtime.store.counts.zones import ZoneChange

LENGTH_S = 60.0


def counter() -> FlowCounter:
    return FlowCounter(LENGTH_S, 0.0, CoverageMeter((), 0.0, 1e6))


def entered(zone: str, at_s: float, person: int = 1) -> ZoneChange:
    return ZoneChange(person, zone, at_s)


def left(zone: str, enter_s: float, leave_s: float, person: int = 1) -> ZoneChange:
    return ZoneChange(person, zone, enter_s, leave_s)


def walk(to: FlowCounter, stays: list[tuple[str, float, float]], person: int = 1) -> None:
    for zone, enter_s, leave_s in stays:
        to.observe([entered(zone, enter_s, person)])
        to.observe([left(zone, enter_s, leave_s, person)])


STAYS = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.1, 30.0), st.floats(0.1, 200.0)), max_size=25)


@given(STAYS)
def test_every_walk_within_the_limit_counts_once(stays: list[tuple[str, float, float]]) -> None:
    book, now_s = counter(), 1.0
    wanted: Counter[tuple[str, str]] = Counter()
    before: tuple[str, float] | None = None
    for zone, walk_s, stay_s in stays:
        now_s += walk_s
        enter_s, now_s = now_s, now_s + stay_s
        if before is not None and before[0] != zone and enter_s - before[1] <= WALK_LIMIT_S:
            wanted[before[0], zone] += 1
        walk(book, [(zone, enter_s, now_s)])
        before = (zone, now_s)
    facts = book.cut(now_s + 1)
    told: Counter[tuple[str, str]] = Counter()
    for fact in facts:
        assert fact.start_s < fact.end_s and fact.transitions > 0
        told[fact.origin, fact.destination] += fact.transitions
    assert told == wanted


def test_it_counts_where_it_arrives_and_when() -> None:
    book = counter()
    walk(book, [("a", 10.0, 55.0), ("b", 65.0, 70.0)])
    assert book.close(60.0) == []
    (fact,) = book.close(120.0)
    assert (fact.origin, fact.destination, fact.start_s, fact.partial) == ("a", "b", 60.0, False)


def test_a_walk_that_took_too_long_is_none() -> None:
    book = counter()
    walk(book, [("a", 10.0, 20.0), ("b", 20.1 + WALK_LIMIT_S, 300.0)])
    assert book.cut(400.0) == []


def test_back_into_the_same_zone_is_no_flow() -> None:
    book = counter()
    walk(book, [("a", 10.0, 20.0), ("a", 22.0, 30.0)])
    assert book.cut(50.0) == []


def test_people_do_not_lend_each_other_their_ways() -> None:
    book = counter()
    walk(book, [("a", 10.0, 20.0)], person=1)
    walk(book, [("b", 22.0, 30.0)], person=2)
    assert book.cut(50.0) == []


def test_who_left_a_zone_that_is_gone_came_from_nowhere() -> None:
    book = counter()
    walk(book, [("a", 10.0, 20.0)])
    assert book.apply_plan({"b"}, LENGTH_S, 21.0) == []
    walk(book, [("b", 22.0, 30.0)])
    assert book.cut(50.0) == []


def test_another_interval_loses_no_walk() -> None:
    book = counter()
    walk(book, [("a", 10.0, 20.0), ("b", 22.0, 40.0)])
    facts = book.apply_plan({"a", "b"}, 30.0, 25.0)
    walk(book, [("a", 45.0, 50.0)])
    facts += book.cut(70.0)
    assert sum(fact.transitions for fact in facts) == 2


def test_the_number_of_people_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "MAX_PERSONS", 2)
    book = counter()
    for person in range(5):
        walk(book, [("a", 10.0, 20.0)], person)
    for person in range(5):
        walk(book, [("b", 22.0, 30.0)], person)
    assert sum(fact.transitions for fact in book.cut(50.0)) <= 2
