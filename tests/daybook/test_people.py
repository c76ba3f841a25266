"""Who is where on the floor; nobody there is something else than not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.daybook.people import STALE_S, PeopleOnFloor
from runtime.messages import FloorNow, OnFloor
from tests.neighbours.written import a_store, health

NOW_S = 1_000_000.0
SEEING = {"vision": health("vision", NOW_S - 1)}
TWO = (OnFloor("a1", (1.0, 1.0)), OnFloor("b2", (20.0, 20.0)))


@pytest.fixture
def people(tmp_path: Path) -> PeopleOnFloor:
    return PeopleOnFloor(a_store(tmp_path).zones)


def test_people_are_counted_in_the_zones_in_which_they_stand(people: PeopleOnFloor) -> None:
    people.take(FloorNow(NOW_S - 0.2, TWO))
    assert people.everybody(SEEING, NOW_S) == TWO
    assert people.by_zone(SEEING, NOW_S) == {"racks": 1, "till": 0}


def test_an_empty_floor_is_known_to_be_empty(people: PeopleOnFloor) -> None:
    people.take(FloorNow(NOW_S - 0.2, ()))
    assert people.everybody(SEEING, NOW_S) == ()
    assert people.by_zone(SEEING, NOW_S) == {"racks": 0, "till": 0}


def test_where_nobody_can_say_it_is_not_known(people: PeopleOnFloor) -> None:
    unknown = {"racks": None, "till": None}
    assert people.everybody(SEEING, NOW_S) is None
    assert people.by_zone(SEEING, NOW_S) == unknown
    people.take(FloorNow(NOW_S - 0.2, TWO))
    assert people.everybody({}, NOW_S) is None
    assert people.by_zone({"vision": health("vision", NOW_S - 1, "stalled")}, NOW_S) == unknown
    people.take(FloorNow(NOW_S - STALE_S, TWO))
    assert people.by_zone(SEEING, NOW_S) == unknown


def test_another_plan_changes_the_zones_and_not_who_is_there(people: PeopleOnFloor, tmp_path: Path) -> None:
    people.take(FloorNow(NOW_S - 0.2, TWO))
    people.use(a_store(tmp_path).zones[1:])
    assert people.by_zone(SEEING, NOW_S) == {"till": 0}
    assert people.everybody(SEEING, NOW_S) == TWO
