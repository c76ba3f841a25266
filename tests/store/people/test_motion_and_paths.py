"""Where a person was, is and will be: velocity, extrapolation, interpolation, and what is not known."""

from __future__ import annotations

from itertools import pairwise
from math import hypot

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.people import paths
from runtime.store.people.identity import TrackPoint
from runtime.store.people.motion import (
    COASTING_S,
    KEEP_S,
    MAX_POSITIONS,
    Position,
    RecentMotion,
    between,
    slope,
)
from runtime.store.people.paths import BRIDGE_S, COAST_S, RecentPaths
from runtime.store.people.reassociation import MEMORY_S, co_location, reassociation

SPEED = st.floats(-2.0, 2.0)


def walking(vx: float, vy: float, until_s: float = 2.0, dt_s: float = 0.1) -> RecentMotion:
    motion = RecentMotion()
    for time_s in np.arange(0.0, until_s + dt_s / 2, dt_s):
        motion.add(Position(float(time_s), vx * float(time_s), vy * float(time_s)))
    return motion


@given(SPEED, SPEED, st.floats(0.05, 0.3))
def test_a_straight_walk_s_velocity_is_found_at_any_frame_rate(vx: float, vy: float, dt_s: float) -> None:
    velocity = walking(vx, vy, dt_s=dt_s).velocity()
    assert velocity == pytest.approx((vx, vy), abs=1e-6)


def test_too_short_a_time_tells_no_velocity() -> None:
    assert slope([Position(0.0, 0.0, 0.0), Position(0.2, 1.0, 0.0)]) is None
    assert slope([Position(0.0, 0.0, 0.0)]) is None


@given(SPEED, SPEED, st.floats(0.0, 60.0), st.floats(0.0, 60.0))
def test_the_expected_place_moves_on_ever_slower_and_comes_to_a_halt(
    vx: float, vy: float, one_s: float, other_s: float
) -> None:
    motion = walking(vx, vy)
    speed = hypot(vx, vy)
    gone = [
        hypot(x_m - motion.last.x_m, y_m - motion.last.y_m)
        for x_m, y_m in (motion.expected(ahead_s) for ahead_s in sorted((one_s, other_s)))
    ]
    assert gone[0] <= gone[1] + 1e-6 <= speed * COASTING_S + 2e-6
    assert gone[1] <= speed * max(one_s, other_s) + 1e-6


@given(st.lists(st.floats(-5.0, 5.0), min_size=2, max_size=300))
def test_memory_is_bounded_in_time_and_number_and_rises(times_s: list[float]) -> None:
    motion = RecentMotion()
    taken = [time_s for time_s in times_s if motion.add(Position(time_s, 0.0, 0.0))]
    assert all(one < following for one, following in pairwise(taken))
    assert motion.last.time_s == max(times_s)
    assert motion.at(motion.last.time_s - KEEP_S - 0.1, 0.0) is None
    assert len(motion._positions) <= MAX_POSITIONS


@given(st.floats(0.0, 1.0), st.floats(-9.0, 9.0), st.floats(-9.0, 9.0))
def test_between_two_sightings_the_way_is_straight(share: float, x_m: float, y_m: float) -> None:
    place = between(Position(1.0, 0.0, 0.0), Position(3.0, x_m, y_m), 1.0 + 2.0 * share)
    assert place == pytest.approx((share * x_m, share * y_m), abs=1e-9)


def test_a_place_is_known_between_sightings_and_a_little_past_them() -> None:
    motion = walking(1.0, 0.0)
    assert motion.at(1.05, 0.0) == pytest.approx((1.05, 0.0))
    assert motion.at(2.3, 0.2) is None
    assert motion.at(2.3, 0.5) == pytest.approx((2.28, 0.0), abs=0.05)
    assert motion.at(-0.2, 0.5) == (0.0, 0.0)
    assert RecentMotion().at(0.0, 9.0) is None


@given(st.floats(0.1, 20.0), st.floats(0.0, 1.5))
def test_reassociation_is_the_less_likely_the_further_from_where_the_person_was_going(
    gap_s: float, off_m: float
) -> None:
    lost, track = walking(1.0, 0.0), RecentMotion()
    x_m, y_m = lost.expected(gap_s)
    track.add(Position(2.0 + gap_s, x_m, y_m))
    straight = reassociation(lost, track, Position(2.0 + gap_s, x_m, y_m), gap_s)
    aside = reassociation(lost, track, Position(2.0 + gap_s, x_m, y_m + off_m), gap_s)
    assert 0.0 <= aside <= straight


def test_nobody_is_reassociated_after_long_or_across_the_shop() -> None:
    lost, track, here = walking(1.0, 0.0), RecentMotion(), Position(3.0, 3.0, 0.0)
    track.add(here)
    assert reassociation(lost, track, here, 1.0) > 0.0
    assert reassociation(lost, track, here, MEMORY_S + 1.0) == 0.0
    assert reassociation(lost, track, Position(3.0, 12.0, 0.0), 1.0) == 0.0


def test_two_views_of_one_spot_are_co_located_and_views_of_other_times_say_nothing() -> None:
    person = walking(1.0, 0.0)
    same = [Position(time_s, time_s + 0.1, 0.1) for time_s in (1.0, 1.5)]
    other = [Position(time_s, time_s + 2.0, 0.0) for time_s in (1.0, 1.5)]
    assert co_location(person, same, 0.2) > 100 * co_location(person, other, 0.2)
    assert co_location(person, [Position(9.0, 9.0, 0.0)], 0.2) == 0.0


def seen(person: int, time_s: float, x_m: float = 0.0, lead: bool = True) -> TrackPoint:
    return TrackPoint(person, ("cam", person), Position(time_s, x_m, 0.0), lead)


def test_whereabouts_are_interpolated_over_a_short_gap_and_unknown_over_a_long_one() -> None:
    book = RecentPaths()
    book.observe([seen(1, 0.0, 0.0), seen(1, 4.0, 4.0), seen(1, 4.1 + BRIDGE_S, 9.0)])
    (where,) = book.whereabouts(np.array([2.0, 6.0, 4.1 + BRIDGE_S + 2 * COAST_S]))
    assert where.known.tolist() == [True, False, False]
    assert where.bridged.tolist() == [True, False, False]
    assert where.points[0] == pytest.approx((2.0, 0.0))
    assert where.sigma_m[0] > 0.2


def test_who_was_not_there_is_not_among_the_whereabouts() -> None:
    book = RecentPaths()
    book.observe([seen(1, 0.0), seen(2, 50.0)])
    assert [where.person for where in book.whereabouts(np.array([49.5, 50.5]))] == [2]


def test_only_leading_sightings_are_remembered_and_not_for_ever() -> None:
    book = RecentPaths()
    book.observe([seen(1, 0.0), seen(2, 30.0), seen(3, 30.0, lead=False)])
    assert book.persons() == {1, 2}
    book.forget(paths.KEEP_S + 1.0)
    assert book.persons() == {2}


def test_beyond_the_limit_the_person_seen_longest_ago_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MAX_PERSONS", 2)
    book = RecentPaths()
    book.observe([seen(1, 0.0), seen(2, 1.0), seen(3, 2.0)])
    assert book.persons() == {2, 3}
