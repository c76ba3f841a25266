from __future__ import annotations

from collections.abc import Iterable

import pytest

from runtime.messages import Person
from runtime.store.people.identity import MAX_PERSONS, GlobalTracks, TrackPoint
from runtime.store.people.reassociation import MEMORY_S

Sight = tuple[int, float, float]


def person(track: int, x_m: float, y_m: float) -> Person:
    return Person(track, (0.0, 0.0, 1.0, 2.0), 0.9, (x_m, y_m))


def show(persons: GlobalTracks, camera: str, time_s: float, *sights: Sight) -> list[TrackPoint]:
    return persons.observe(camera, time_s, [person(*sight) for sight in sights])


def walk(
    persons: GlobalTracks, camera: str, track: int, start_s: float, path: Iterable[tuple[float, float]]
) -> list[TrackPoint]:
    points = []
    for number, (x_m, y_m) in enumerate(path):
        points += show(persons, camera, start_s + number / 10, (track, x_m, y_m))
    return points


def line(x0: float, y0: float, vx: float, vy: float, count: int = 20) -> list[tuple[float, float]]:
    return [(x0 + vx * k / 10, y0 + vy * k / 10) for k in range(count)]


def walkers_of(points: Iterable[TrackPoint]) -> set[int]:
    return {point.person for point in points}


def test_a_track_that_breaks_goes_on_as_the_same_person() -> None:
    persons = GlobalTracks(200.0)
    before = walk(persons, "a", 1, 0.0, line(0, 0, 1.2, 0))
    after = walk(persons, "a", 2, 2.5, line(3.0, 0, 1.2, 0))
    assert walkers_of(before) == walkers_of(after)


def test_someone_else_coming_the_other_way_is_a_new_person() -> None:
    persons = GlobalTracks(200.0)
    before = walk(persons, "a", 1, 0.0, line(0, 0, 1.2, 0))
    after = walk(persons, "a", 2, 2.5, line(2.9, 0, -1.2, 0))
    assert not walkers_of(before) & walkers_of(after)


def test_two_people_of_one_frame_are_never_one_person() -> None:
    persons = GlobalTracks(200.0)
    points: list[TrackPoint] = []
    for number in range(20):
        points += show(persons, "a", number / 10, (1, 0.1 * number, 0.0), (2, 0.1 * number, 0.4))
    assert len(walkers_of(points)) == 2


def test_two_cameras_seeing_one_spot_of_floor_see_one_person() -> None:
    persons = GlobalTracks(200.0)
    points: list[TrackPoint] = []
    for number in range(30):
        x_m = 0.12 * number
        points += show(persons, "a", number / 10, (1, x_m, 0.0))
        points += show(persons, "b", number / 10 + 0.03, (7, x_m + 0.2, 0.15))
    assert len(walkers_of(points)) == 1
    assert {point.source[0] for point in points if point.lead} == {"a"}


def test_the_second_camera_takes_the_lead_when_the_first_loses_the_person() -> None:
    persons = GlobalTracks(200.0)
    for number in range(20):
        show(persons, "a", number / 10, (1, 0.12 * number, 0.0))
        show(persons, "b", number / 10 + 0.03, (7, 0.12 * number, 0.1))
    points = walk(persons, "b", 7, 2.03, line(2.4, 0.1, 1.2, 0.0))
    assert any(point.lead for point in points)


@pytest.mark.parametrize("swap", [False, True])
def test_of_two_lost_people_each_is_found_again(swap: bool) -> None:
    persons = GlobalTracks(200.0)
    points = [
        point
        for number in range(20)
        for point in show(persons, "a", number / 10, (1, 0.1 * number, 0.0), (2, 0.1 * number, 1.2))
    ]
    first = {point.source[1]: point.person for point in points}
    upper, lower = (3, 4) if swap else (4, 3)
    again = [
        point
        for number in range(20)
        for point in show(
            persons,
            "a",
            2.6 + number / 10,
            (upper, 2.6 + 0.1 * number, 1.2),
            (lower, 2.6 + 0.1 * number, 0.0),
        )
    ]
    second = {point.source[1]: point.person for point in again}
    assert (second[lower], second[upper]) == (first[1], first[2])


def pass_by(persons: GlobalTracks, exchange_s: float | None, turn_s: float | None = None) -> list[TrackPoint]:
    """Two people walk towards each other and on, or both stop at `turn_s` for 1.3 s and turn back."""
    points: list[TrackPoint] = []
    for number in range(60):
        time_s = number / 10
        walked_s = time_s if turn_s is None or time_s < turn_s else max(2 * turn_s - time_s + 1.3, 0.0)
        walked_s = min(walked_s, turn_s) if turn_s is not None else walked_s
        bodies = [(-3.0 + 1.2 * walked_s, 0.2), (3.0 - 1.2 * walked_s, -0.2)]
        if exchange_s is not None and time_s >= exchange_s:
            bodies.reverse()
        points += show(persons, "a", time_s, (1, *bodies[0]), (2, *bodies[1]))
    return points


def test_two_who_pass_each_other_stay_who_they_are_when_their_numbers_are_exchanged() -> None:
    persons = GlobalTracks(200.0)
    points = pass_by(persons, exchange_s=2.5)
    ends = {point.person: point.position.x_m for point in points}
    starts = {point.person: point.position.x_m for point in reversed(points)}
    assert persons.counts["exchanged"] == 1
    assert all(starts[person] * ends[person] < 0 for person in starts)


def test_two_who_pass_each_other_are_not_taken_for_one_another() -> None:
    persons = GlobalTracks(200.0)
    pass_by(persons, exchange_s=None)
    assert persons.counts["exchanged"] == 0


def test_two_who_meet_and_turn_back_are_not_taken_for_one_another() -> None:
    persons = GlobalTracks(200.0)
    points = pass_by(persons, exchange_s=None, turn_s=2.2)
    assert persons.counts["exchanged"] == 0
    assert {point.person for point in points if point.source[1] == 1} == {1}


def test_a_walker_gone_for_long_is_forgotten() -> None:
    persons = GlobalTracks(200.0)
    walk(persons, "a", 1, 0.0, line(0, 0, 1.2, 0))
    persons.advance(MEMORY_S + 5.0)
    assert len(persons) == 0


def test_the_table_of_walkers_is_bounded() -> None:
    persons = GlobalTracks(1e6)
    for number in range(MAX_PERSONS + 20):
        show(persons, "a", number / 1000, (number, 40.0 * (number % 30), 40.0 * (number // 30)))
    assert len(persons) == MAX_PERSONS


def test_no_step_is_lost_while_a_track_waits_to_be_recognised() -> None:
    persons = GlobalTracks(200.0)
    walk(persons, "a", 1, 0.0, line(0, 0, 1.2, 0))
    points = walk(persons, "a", 2, 2.2, line(2.6, 0, 1.2, 0))
    assert len(points) == 20
