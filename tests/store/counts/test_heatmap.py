"""Heat: every second that somebody stood on the floor is in one cell, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.facts import Heatmap
from runtime.config import Intervals
from runtime.store.counts import heatmap
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.heatmap import LONGEST_STEP_S, HeatmapBook
from runtime.store.floorplan import FloorPlan, FloorZone
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import Position

LENGTH_S = 60.0
LEFT = FloorZone("left", ((0.0, 0.0), (4.0, 0.0), (4.0, 6.0), (0.0, 6.0)))
ALL = FloorZone("all", ((0.0, 0.0), (8.0, 0.0), (8.0, 6.0), (0.0, 6.0)))
PLAN = FloorPlan(
    extent_m=(0.0, 0.0, 8.0, 6.0), cell_m=2.0, zones=(LEFT, ALL), intervals=Intervals(heatmap_s=LENGTH_S)
)


def book_of(plan: FloorPlan = PLAN) -> HeatmapBook:
    return HeatmapBook(plan, 0.0, CoverageMeter((), 0.0, 600.0))


def at(time_s: float, x_m: float, y_m: float, person: int = 1, lead: bool = True) -> TrackPoint:
    return TrackPoint(person, ("cam", person), Position(time_s, x_m, y_m), lead)


def in_cells(facts: Iterable[Heatmap]) -> float:
    return sum(cell.person_s for fact in facts for cell in fact.cells)


def in_zones(facts: Iterable[Heatmap], zone: str) -> float:
    return sum(fact.zones.get(zone, 0.0) for fact in facts)


INSIDE = st.tuples(st.floats(0.01, 7.99), st.floats(0.01, 5.99))


@given(st.lists(st.tuples(st.floats(0.01, 3.0), INSIDE), min_size=2, max_size=60))
def test_the_cells_hold_all_the_time_that_was_spent_in_sight(
    steps: list[tuple[float, tuple[float, float]]],
) -> None:
    book, time_s, spent_s, left_s = book_of(), 5.0, 0.0, 0.0
    for index, (wait_s, (x_m, y_m)) in enumerate(steps):
        time_s += wait_s
        book.observe([at(time_s, x_m, y_m)])
        if index:
            spent_s += min(wait_s, LONGEST_STEP_S)
            left_s += min(wait_s, LONGEST_STEP_S) if LEFT.holds(x_m, y_m) else 0.0
    facts = book.cut(time_s + 1)
    rounding_s = 0.05 * sum(len(fact.cells) or 1 for fact in facts) + 0.05 * len(steps)
    assert in_cells(facts) == pytest.approx(spent_s, abs=rounding_s)
    assert in_zones(facts, "all") == pytest.approx(spent_s, abs=rounding_s)
    assert in_zones(facts, "left") == pytest.approx(left_s, abs=rounding_s)
    for one, next_one in pairwise(facts):
        assert next_one.start_s == one.end_s


def test_the_time_goes_to_where_the_person_is_now() -> None:
    book = book_of()
    book.observe([at(10.0, 1.0, 1.0)])
    book.observe([at(10.5, 5.0, 3.0)])
    (fact,) = book.cut(20.0)
    assert [(cell.column, cell.row, cell.person_s) for cell in fact.cells] == [(2, 1, 0.5)]
    assert (fact.origin_m, fact.cell_m, fact.partial) == ((0.0, 0.0), 2.0, True)


def test_who_was_out_of_sight_spent_that_time_nowhere() -> None:
    book = book_of()
    book.observe([at(10.0, 1.0, 1.0)])
    book.observe([at(25.0, 1.0, 1.0)])
    assert in_cells(book.cut(40.0)) == LONGEST_STEP_S


def test_off_the_floor_is_in_no_cell() -> None:
    book = book_of()
    for time_s in (10.0, 10.5, 11.0):
        book.observe([at(time_s, -0.5, 1.0)])
    assert in_cells(book.cut(20.0)) == 0


def test_a_second_camera_s_view_of_a_person_is_not_counted_again() -> None:
    book = book_of()
    for time_s in (10.0, 10.5, 11.0):
        book.observe([at(time_s, 1.0, 1.0), at(time_s, 1.2, 1.0, lead=False)])
    assert in_cells(book.cut(20.0)) == pytest.approx(1.0)


def test_an_interval_is_told_once_and_only_when_it_is_over() -> None:
    book = book_of()
    for time_s in range(50, 80):
        book.observe([at(float(time_s), 1.0, 1.0)])
    assert book.close(LENGTH_S - 0.1) == []
    first = book.close(LENGTH_S)
    assert (in_cells(first), first[0].partial) == (pytest.approx(9.0), False)
    assert book.close(LENGTH_S) == []
    assert in_cells(book.cut(80.0)) == pytest.approx(20.0)


def test_what_comes_late_for_an_interval_that_is_told_is_counted_in_the_open_one() -> None:
    book = book_of()
    book.observe([at(58.0, 1.0, 1.0)])
    book.close(LENGTH_S)
    book.observe([at(58.5, 1.0, 1.0)])
    assert in_cells(book.cut(70.0)) == pytest.approx(0.5)


def test_beyond_the_limit_of_cells_only_zones_count_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heatmap, "MAX_CELLS", 1)
    book = book_of()
    for time_s, x_m in ((10.0, 1.0), (11.0, 1.0), (12.0, 7.0), (13.0, 1.0)):
        book.observe([at(time_s, x_m, 1.0)])
    facts = book.cut(20.0)
    assert [(cell.column, cell.person_s) for fact in facts for cell in fact.cells] == [(0, 2.0)]
    assert in_zones(facts, "all") == 3.0


def test_a_large_floor_is_told_in_parts_that_make_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heatmap, "CELLS_PER_PART", 2)
    book = book_of()
    for index in range(5):
        book.observe([at(10.0 + 2 * index, 1.0 + index, 1.0 + index, person=index)])
        book.observe([at(11.0 + 2 * index, 1.0 + index, 1.0 + index, person=index)])
    facts = book.cut(30.0)
    assert [(fact.part, fact.parts) for fact in facts] == [(index, len(facts)) for index in range(len(facts))]
    assert len({fact.key for fact in facts}) == len(facts) >= 2
    assert all(len(fact.cells) <= 2 for fact in facts)
    cells = [(cell.column, cell.row) for fact in facts for cell in fact.cells]
    assert len(set(cells)) == len(cells)
    assert in_cells(facts) == 5.0
    assert in_zones(facts, "all") == 5.0, "zones stand in the first part only"


def test_another_plan_with_the_same_zones_goes_on() -> None:
    book = book_of()
    book.observe([at(10.0, 1.0, 1.0)])
    assert book.apply_plan(replace(PLAN, visitor_hours=1.0), 10.5) == []
    book.observe([at(11.0, 1.0, 1.0)])
    assert in_cells(book.cut(20.0)) == 1.0


def test_a_zone_that_was_redrawn_cuts_the_interval() -> None:
    book = book_of()
    book.observe([at(10.0, 1.0, 1.0)])
    book.observe([at(11.0, 1.0, 1.0)])
    (told,) = book.apply_plan(replace(PLAN, zones=(ALL,)), 15.0)
    assert (told.partial, told.end_s, told.zones) == (True, 15.0, {"left": 1.0, "all": 1.0})
    book.observe([at(11.9, 1.0, 1.0)])
    (rest,) = book.cut(30.0)
    assert (rest.start_s, rest.zones) == (15.0, {"all": pytest.approx(0.9)})


def test_more_people_than_are_remembered_cost_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heatmap, "MAX_PERSONS", 3)
    book = book_of()
    for person in range(10):
        book.observe([at(10.0, 1.0, 1.0, person)])
    for person in range(10):
        book.observe([at(10.5, 1.0, 1.0, person)])
    assert in_cells(book.cut(20.0)) <= 3 * 0.5
