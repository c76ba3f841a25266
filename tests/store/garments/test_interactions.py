"""Flips wait until the tracks have caught up; each gets one interaction, whatever comes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timezone
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.config.epcs import Article, ArticleTable
from runtime.messages import TagFlip
from runtime.store.floorplan import FloorPlan, Place
from runtime.store.garments import interactions
from runtime.store.garments.interactions import WAIT_S, Interactions
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import Position
from runtime.store.people.paths import KEEP_S, RecentPaths
from runtime.store.people.visitors import VisitorIds

RACK = Place("rack", "fixture", ((5.0, 5.0),))
PLAN = FloorPlan(
    extent_m=(0.0, 0.0, 10.0, 10.0),
    fixtures={"rack": RACK},
    articles=ArticleTable([("aa*", Article("shirt", "rack"))]),
)


def waiting(paths: RecentPaths | None = None) -> Interactions:
    numbers: Iterator[int] = count(1)
    ids = VisitorIds(lambda: f"v{next(numbers)}", timezone.utc, 12.0)
    return Interactions(PLAN, paths or RecentPaths(), ids)


def flip(start_s: float, end_s: float, epc: str = "aa01", score: float = 0.9) -> TagFlip:
    return TagFlip("reader", 1, epc, start_s, end_s, score)


def stand(paths: RecentPaths, person: int, x_m: float, y_m: float, span: tuple[float, float]) -> None:
    for time_s in np.arange(*span, 0.1):
        paths.observe([TrackPoint(person, ("cam", person), Position(float(time_s), x_m, y_m), True)])


def test_the_flip_is_told_at_once_and_its_interaction_when_the_wait_is_over() -> None:
    paths = RecentPaths()
    stand(paths, 3, 5.3, 5.2, (90.0, 110.0))
    book = waiting(paths)
    fact = book.add(flip(100.0, 101.5), 102.0)
    assert (fact.sku, fact.fixture, fact.key) == ("shirt", "rack", "flip:reader:aa01:100000")
    assert book.advance(101.5 + WAIT_S - 0.01) == []
    (found,) = book.advance(101.5 + WAIT_S)
    assert (found.flip, found.visitor, found.sku) == (fact.key, "v1", "shirt")
    assert found.probability > 0.9
    assert found.key == f"interaction:{fact.key}"
    assert book.advance(1e9) == []


def test_nobody_there_is_an_answer_and_no_visitor_is_made_up() -> None:
    book = waiting()
    book.add(flip(100.0, 101.5), 102.0)
    (found,) = book.drain()
    assert (found.visitor, found.runner_up, found.evidence) == (None, None, None)
    assert found.probability == found.nobody_probability > 0.9


def test_the_runner_up_is_another_visitor() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.3, 5.2, (90.0, 110.0))
    stand(paths, 2, 5.6, 4.7, (90.0, 110.0))
    book = waiting(paths)
    book.add(flip(100.0, 101.5), 102.0)
    (found,) = book.drain()
    assert {found.visitor, found.runner_up} == {"v1", "v2"}
    assert found.probability >= found.runner_up_probability > 0.01
    assert found.probability + found.runner_up_probability + found.nobody_probability == pytest.approx(
        1, abs=1e-3
    )


def test_of_two_at_a_rack_who_turn_a_garment_each_neither_is_named_and_each_has_one() -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.3, 5.2, (90.0, 110.0))
    stand(paths, 2, 4.6, 4.9, (90.0, 110.0))
    book = waiting(paths)
    book.add(flip(100.0, 102.0, "aa01"), 102.5)
    book.add(flip(100.2, 102.1, "aa02"), 102.5)
    first, second = book.drain()
    assert first.visitor is second.visitor is None
    assert {first.runner_up, second.runner_up} == {"v1", "v2"}


def test_a_flip_waits_for_those_it_is_judged_with() -> None:
    book = waiting()
    book.add(flip(100.0, 102.0, "aa01"), 102.5)
    book.add(flip(100.2, 102.9, "aa02"), 103.0)
    assert book.advance(102.0 + WAIT_S) == []
    assert len(book.advance(102.9 + WAIT_S)) == 2


def test_a_flip_told_when_the_tracks_are_forgotten_is_counted_and_not_guessed_at() -> None:
    book = waiting()
    fact = book.add(flip(100.0, 101.0), 100.0 + KEEP_S + 1)
    assert fact.kind == "flip"
    assert book.drain() == []
    assert book.counts["flips_too_late"] == 1


def test_beyond_the_limit_none_waits_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interactions, "MAX_WAITING", 3)
    book = waiting()
    for number in range(5):
        book.add(flip(100.0 + 3 * number, 101.0 + 3 * number, f"aa{number:02}"), 120.0)
    found = book.advance(100.0)
    assert len(found) == 5
    assert book.counts["flips_crowded"] == 5


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(0.0, 40.0), st.floats(0.2, 6.0), st.integers(0, 5)), min_size=1, max_size=12
    ),
    st.lists(st.floats(0.0, 60.0), max_size=8),
)
def test_every_flip_has_exactly_one_interaction(
    told: list[tuple[float, float, int]], moments: list[float]
) -> None:
    paths = RecentPaths()
    stand(paths, 1, 5.3, 5.2, (100.0, 150.0))
    book = waiting(paths)
    facts = [
        book.add(flip(100.0 + start_s, 100.0 + start_s + length_s, f"aa{number:02}{index:02}"), 150.0)
        for index, (start_s, length_s, number) in enumerate(told)
    ]
    found = [one for moment in sorted(moments) for one in book.advance(100.0 + moment)]
    found += book.drain()
    assert sorted(one.flip for one in found) == sorted(fact.key for fact in facts)
    for one in found:
        total = one.probability
        total += one.nobody_probability if one.visitor is not None else 0.0
        total += one.runner_up_probability if one.runner_up is not None else 0.0
        assert 0.0 < one.probability <= total <= 1.0 + 1e-3
        assert one.probability >= one.runner_up_probability
