"""What is revised when later sights contradict what was taken for one person, or for two."""

from __future__ import annotations

import itertools

import pytest

from contract.facts import Visit
from runtime.messages import Person, PersonsSeen
from runtime.store.behaviour import Behaviour
from runtime.store.floorplan import EntranceLine, FloorPlan
from runtime.store.people.identity import GlobalTracks, TrackPoint

Place = tuple[float, float]
AREA_M2 = 90.0


def show(persons: GlobalTracks, camera: str, time_s: float, places: dict[int, Place]) -> list[TrackPoint]:
    seen = [Person(track, (0.0, 0.0, 1.0, 2.0), 0.9, place) for track, place in places.items()]
    return persons.observe(camera, time_s, seen)


def last_person(points: list[TrackPoint], camera: str, track: int) -> int:
    return [point.person for point in points if point.source == (camera, track)][-1]


def test_a_track_that_turns_up_where_nobody_can_have_walked_is_somebody_else() -> None:
    persons = GlobalTracks(AREA_M2)
    points = [
        point
        for number in range(20)
        for point in show(persons, "a", number / 10, {1: (2.0, 2.0 + 0.12 * number)})
    ]
    for number in range(20):
        points += show(persons, "a", 3.2 + number / 10, {1: (2.1 + 0.02 * number, -1.5)})
    assert len({point.person for point in points}) == 2
    assert persons.counts["jumped"] == 1


def test_a_walker_leaves_the_thing_that_was_taken_for_them_and_keeps_who_they_are() -> None:
    """A second camera takes a thing for the person who stands beside it; the person walks on."""
    persons = GlobalTracks(AREA_M2)
    points: list[TrackPoint] = []
    for number in range(60):
        time_s = number / 10
        walked_m = 1.2 * min(time_s, 2.0) + 1.2 * max(0.0, time_s - 3.0)
        points += show(persons, "a", time_s, {1: (walked_m, 0.0)})
        if number >= 20:
            points += show(persons, "b", time_s + 0.03, {7: (2.6, 0.2)})
    walker = last_person(points, "a", 1)
    assert {point.person for point in points if point.source == ("a", 1)} == {walker}
    assert any(point.person == walker for point in points if point.source == ("b", 7))
    assert last_person(points, "b", 7) != walker
    assert persons.counts["parted"] == 1


def test_two_tracks_that_one_camera_shows_at_once_are_two_people() -> None:
    """A lost track is taken up by another while its tracker finds it again."""
    persons = GlobalTracks(AREA_M2)
    points: list[TrackPoint] = []
    for number in range(60):
        time_s = number / 10
        places = {1: (0.1 * number, 0.0)} if time_s < 2.0 or time_s >= 4.0 else {}
        if time_s >= 2.5:
            places[2] = (0.1 * number + 0.4, 0.3)
        points += show(persons, "a", time_s, places)
    assert last_person(points, "a", 1) != last_person(points, "a", 2)
    assert persons.counts["parted"] == 1


def test_two_persons_who_walk_as_one_before_different_cameras_are_one() -> None:
    """The second camera first puts them metres off, for furniture hides their feet."""
    persons = GlobalTracks(AREA_M2)
    points: list[TrackPoint] = []
    for number in range(50):
        time_s = number / 10
        off_m = max(0.2, 2.5 - time_s)
        points += show(persons, "a", time_s, {1: (0.12 * number, 0.0)})
        points += show(persons, "b", time_s + 0.03, {7: (0.12 * number, off_m)})
    assert last_person(points, "a", 1) == last_person(points, "b", 7) == 1
    assert persons.counts["joined"] == 1


def test_two_who_stand_beside_each_other_stay_two() -> None:
    persons = GlobalTracks(AREA_M2)
    points: list[TrackPoint] = []
    for number in range(100):
        time_s = number / 10
        off_m = max(0.5, 2.5 - time_s)
        points += show(persons, "a", time_s, {1: (3.0, 0.0)})
        points += show(persons, "b", time_s + 0.03, {7: (3.0, off_m)})
    assert last_person(points, "a", 1) != last_person(points, "b", 7)


def visits(records: list[PersonsSeen]) -> list[Visit]:
    """Those that stand in the end."""
    plan = FloorPlan(
        (-5.0, -5.0, 5.0, 5.0),
        cameras=("a",),
        entrances=(EntranceLine("door", ((-1.0, 0.0), (1.0, 0.0)), (0.0, 2.0), ("a",)),),
    )
    ids = itertools.count(1)
    behaviour = Behaviour(plan, 0.0, lambda: f"v{next(ids)}")
    facts = [fact for record in records for fact in behaviour.persons(record)] + behaviour.finish(60.0)
    kept = {fact.key: fact for fact in facts if isinstance(fact, Visit)}
    return [fact for fact in kept.values() if not fact.retracted]


@pytest.mark.parametrize("found_again", [54, 76])
def test_who_stands_inside_does_not_come_in_on_the_track_of_one_who_has_left(found_again: int) -> None:
    """The tracker goes on with the number of who has gone out for somebody deep in the shop, who leaves."""
    records = [
        PersonsSeen("a", n, n / 10, (Person(1, (0.0, 0.0, 1.0, 2.0), 0.9, (0.0, 3.0 - 0.12 * n)),))
        for n in range(40)
    ]
    records += [
        PersonsSeen(
            "a", n, n / 10, (Person(1, (0.0, 0.0, 1.0, 2.0), 0.9, (0.3, 4.5 - 0.12 * (n - found_again))),)
        )
        for n in range(found_again, found_again + 56)
    ]
    assert [visit.direction for visit in visits(records)] == ["out", "out"]
    assert len({visit.visitor for visit in visits(records)}) == 2


def test_a_track_found_again_deep_in_the_shop_is_not_of_who_has_left_it() -> None:
    """The place is near enough to have walked there."""
    door = EntranceLine("door", ((-1.0, 0.0), (1.0, 0.0)), (0.0, 2.0))
    persons = GlobalTracks(AREA_M2, entrances=(door,))
    points = [
        point
        for number in range(40)
        for point in show(persons, "a", number / 10, {1: (0.0, max(-0.9, 1.0 - 0.1 * number))})
    ]
    persons.went(points[-1].person, out=True)
    for number in range(20):
        points += show(persons, "a", 6.9 + number / 10, {1: (0.2, 1.8 + 0.05 * number)})
    assert points[-1].person != points[0].person
