"""Occupancy: how many are where at a time, on average and at most."""

from __future__ import annotations

import numpy as np
import pytest

from contract.facts import Occupancy
from runtime.config import Intervals
from runtime.store.counts.coverage import CoverageMeter
from runtime.store.counts.occupancy import OccupancyBook
from runtime.store.floorplan import FloorPlan, FloorZone
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import Position

LEFT = FloorZone("left", ((0.0, 0.0), (5.0, 0.0), (5.0, 10.0), (0.0, 10.0)))
PLAN = FloorPlan(
    extent_m=(0.0, 0.0, 10.0, 10.0), cameras=("cam",), zones=(LEFT,), intervals=Intervals(occupancy_s=60.0)
)
BEGIN_S = 1_200_000.0


def book_and_coverage(plan: FloorPlan = PLAN) -> tuple[OccupancyBook, CoverageMeter]:
    coverage = CoverageMeter(("cam",), BEGIN_S, 600.0, {"cam": 10.0})
    return OccupancyBook(plan, BEGIN_S, coverage), coverage


def stand(
    book: OccupancyBook, people: dict[int, float], span: tuple[float, float], lead: bool = True
) -> None:
    for time_s in np.arange(*span, 0.1):
        book.observe(
            [
                TrackPoint(person, ("cam", person), Position(BEGIN_S + float(time_s), x_m, 1.0), lead)
                for person, x_m in people.items()
            ]
        )


def by_zone(facts: list[Occupancy]) -> dict[str | None, tuple[float, int]]:
    return {fact.zone: (fact.persons_mean, fact.persons_max) for fact in facts}


def test_persons_at_a_time_are_told_by_zone_and_for_the_floor() -> None:
    book, _ = book_and_coverage()
    stand(book, {1: 1.0, 2: 8.0}, (0.0, 30.0))
    stand(book, {3: 2.0, 4: 3.0, 5: 9.0}, (35.0, 50.0))
    found = by_zone(book.close(BEGIN_S + 60.0))
    assert found[None] == (pytest.approx((2 * 30 + 3 * 15) / 60, abs=0.02), 3)
    assert found["left"] == (pytest.approx((30 + 2 * 15) / 60, abs=0.02), 2)


def test_who_is_out_of_sight_is_nowhere_and_a_second_camera_makes_no_second_person() -> None:
    book, _ = book_and_coverage()
    stand(book, {1: 1.0}, (0.0, 5.0))
    stand(book, {1: 1.0}, (0.0, 5.0), lead=False)
    stand(book, {1: 1.0}, (30.0, 35.0))
    assert by_zone(book.close(BEGIN_S + 60.0))[None] == (pytest.approx(11 / 60, abs=0.02), 1)


def test_an_interval_that_nobody_watched_is_blind_and_one_without_people_is_a_true_zero() -> None:
    book, coverage = book_and_coverage()
    for tenth in range(600):
        coverage.frame("cam", BEGIN_S + tenth / 10)
    coverage.missed("cam", BEGIN_S + 60.0, BEGIN_S + 120.0)
    told = [fact for fact in book.close(BEGIN_S + 120.0) if fact.zone is None]
    assert [(fact.persons_max, fact.quality) for fact in told] == [(0, "good"), (0, "blind")]
    assert len({fact.key for fact in told}) == 2


def test_another_plan_cuts_the_interval_and_counts_on() -> None:
    book, _ = book_and_coverage()
    stand(book, {1: 1.0}, (0.0, 20.0))
    plan = FloorPlan(extent_m=PLAN.extent_m, cameras=("cam",), intervals=PLAN.intervals)
    cut = book.apply_plan(plan, BEGIN_S + 20.0)
    assert {fact.zone for fact in cut} == {None, "left"} and all(fact.partial for fact in cut)
    stand(book, {1: 1.0}, (20.0, 60.0))
    (rest,) = book.close(BEGIN_S + 60.0)
    assert (rest.start_s, rest.zone, rest.persons_max) == (BEGIN_S + 20.0, None, 1)
    assert book.apply_plan(plan, BEGIN_S + 61.0) == []
