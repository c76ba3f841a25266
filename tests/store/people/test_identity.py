from __future__ import annotations

from collections.abc import Iterable

import pytest

from runtime.messages import Person
from runtime.store.people.identity import MAX_WALKERS, Step, Walkers
from runtime.store.people.reassociation import MEMORY_S

Sight = tuple[int, float, float]


def person(track: int, x_m: float, y_m: float) -> Person:
    return Person(track, (0.0, 0.0, 1.0, 2.0), 0.9, (x_m, y_m))


def show(walkers: Walkers, camera: str, time_s: float, *sights: Sight) -> list[Step]:
    return walkers.observe(camera, time_s, [person(*sight) for sight in sights])


def walk(
    walkers: Walkers, camera: str, track: int, start_s: float, path: Iterable[tuple[float, float]]
) -> list[Step]:
    steps = []
    for number, (x_m, y_m) in enumerate(path):
        steps += show(walkers, camera, start_s + number / 10, (track, x_m, y_m))
    return steps


def line(x0: float, y0: float, vx: float, vy: float, count: int = 20) -> list[tuple[float, float]]:
    return [(x0 + vx * k / 10, y0 + vy * k / 10) for k in range(count)]


def walkers_of(steps: Iterable[Step]) -> set[int]:
    return {step.walker for step in steps}


def test_a_track_that_breaks_goes_on_as_the_same_walker() -> None:
    walkers = Walkers(200.0)
    before = walk(walkers, "a", 1, 0.0, line(0, 0, 1.2, 0))
    after = walk(walkers, "a", 2, 2.5, line(3.0, 0, 1.2, 0))
    assert walkers_of(before) == walkers_of(after)


def test_someone_else_coming_the_other_way_is_a_new_walker() -> None:
    walkers = Walkers(200.0)
    before = walk(walkers, "a", 1, 0.0, line(0, 0, 1.2, 0))
    after = walk(walkers, "a", 2, 2.5, line(2.9, 0, -1.2, 0))
    assert not walkers_of(before) & walkers_of(after)


def test_two_people_of_one_frame_are_never_one_walker() -> None:
    walkers = Walkers(200.0)
    steps: list[Step] = []
    for number in range(20):
        steps += show(walkers, "a", number / 10, (1, 0.1 * number, 0.0), (2, 0.1 * number, 0.4))
    assert len(walkers_of(steps)) == 2


def test_two_cameras_seeing_one_spot_of_floor_see_one_walker() -> None:
    walkers = Walkers(200.0)
    steps: list[Step] = []
    for number in range(30):
        x_m = 0.12 * number
        steps += show(walkers, "a", number / 10, (1, x_m, 0.0))
        steps += show(walkers, "b", number / 10 + 0.03, (7, x_m + 0.2, 0.15))
    assert len(walkers_of(steps)) == 1
    assert {step.source[0] for step in steps if step.lead} == {"a"}


def test_the_second_camera_takes_the_lead_when_the_first_loses_the_person() -> None:
    walkers = Walkers(200.0)
    for number in range(20):
        show(walkers, "a", number / 10, (1, 0.12 * number, 0.0))
        show(walkers, "b", number / 10 + 0.03, (7, 0.12 * number, 0.1))
    steps = walk(walkers, "b", 7, 2.03, line(2.4, 0.1, 1.2, 0.0))
    assert any(step.lead for step in steps)


@pytest.mark.parametrize("swap", [False, True])
def test_of_two_lost_people_each_is_found_again(swap: bool) -> None:
    walkers = Walkers(200.0)
    steps = [
        step
        for number in range(20)
        for step in show(walkers, "a", number / 10, (1, 0.1 * number, 0.0), (2, 0.1 * number, 1.2))
    ]
    first = {step.source[1]: step.walker for step in steps}
    upper, lower = (3, 4) if swap else (4, 3)
    again = [
        step
        for number in range(20)
        for step in show(
            walkers,
            "a",
            2.6 + number / 10,
            (upper, 2.6 + 0.1 * number, 1.2),
            (lower, 2.6 + 0.1 * number, 0.0),
        )
    ]
    second = {step.source[1]: step.walker for step in again}
    assert (second[lower], second[upper]) == (first[1], first[2])


def pass_by(walkers: Walkers, exchange_s: float | None, turn_s: float | None = None) -> list[Step]:
    """Two people walk towards each other and on, or both stop at `turn_s` for 1.3 s and turn back."""
    steps: list[Step] = []
    for number in range(60):
        time_s = number / 10
        walked_s = time_s if turn_s is None or time_s < turn_s else max(2 * turn_s - time_s + 1.3, 0.0)
        walked_s = min(walked_s, turn_s) if turn_s is not None else walked_s
        bodies = [(-3.0 + 1.2 * walked_s, 0.2), (3.0 - 1.2 * walked_s, -0.2)]
        if exchange_s is not None and time_s >= exchange_s:
            bodies.reverse()
        steps += show(walkers, "a", time_s, (1, *bodies[0]), (2, *bodies[1]))
    return steps


def test_two_who_pass_each_other_stay_who_they_are_when_their_numbers_are_exchanged() -> None:
    walkers = Walkers(200.0)
    steps = pass_by(walkers, exchange_s=2.5)
    ends = {step.walker: step.fix.x_m for step in steps}
    starts = {step.walker: step.fix.x_m for step in reversed(steps)}
    assert walkers.counts["exchanged"] == 1
    assert all(starts[walker] * ends[walker] < 0 for walker in starts)


def test_two_who_pass_each_other_are_not_taken_for_one_another() -> None:
    walkers = Walkers(200.0)
    pass_by(walkers, exchange_s=None)
    assert walkers.counts["exchanged"] == 0


def test_two_who_meet_and_turn_back_are_not_taken_for_one_another() -> None:
    walkers = Walkers(200.0)
    steps = pass_by(walkers, exchange_s=None, turn_s=2.2)
    assert walkers.counts["exchanged"] == 0
    assert {step.walker for step in steps if step.source[1] == 1} == {1}


def test_a_walker_gone_for_long_is_forgotten() -> None:
    walkers = Walkers(200.0)
    walk(walkers, "a", 1, 0.0, line(0, 0, 1.2, 0))
    walkers.advance(MEMORY_S + 5.0)
    assert len(walkers) == 0


def test_the_table_of_walkers_is_bounded() -> None:
    walkers = Walkers(1e6)
    for number in range(MAX_WALKERS + 20):
        show(walkers, "a", number / 1000, (number, 40.0 * (number % 30), 40.0 * (number // 30)))
    assert len(walkers) == MAX_WALKERS


def test_no_step_is_lost_while_a_track_waits_to_be_recognised() -> None:
    walkers = Walkers(200.0)
    walk(walkers, "a", 1, 0.0, line(0, 0, 1.2, 0))
    steps = walk(walkers, "a", 2, 2.2, line(2.6, 0, 1.2, 0))
    assert len(steps) == 20
