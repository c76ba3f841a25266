"""Intervals are told once each, without a hole, whenever they are asked for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.counts.intervals import MAX_WINDOWS, IntervalClock


@given(
    st.integers(1, 3600).map(float),
    st.floats(0.0, 1e6),
    st.lists(st.floats(0.0, 5000.0), max_size=20),
)
def test_they_join_up_from_the_beginning_to_the_cut(
    length_s: float, begin_s: float, waits_s: list[float]
) -> None:
    clock, now_s = IntervalClock(length_s, begin_s), begin_s
    told = []
    for wait_s in waits_s:
        now_s += wait_s
        told += clock.closed(now_s)
    end_s = now_s + 1.0
    told += clock.cut(end_s)
    assert told[-1].end_s == pytest.approx(end_s)
    slept = max([*waits_s, 1.0]) >= (MAX_WINDOWS - 1) * length_s
    assert slept or told[0].start_s == pytest.approx(begin_s, abs=0.001)
    for one, following in pairwise(told):
        assert following.number > one.number
        assert slept or (following.number, following.start_s) == (one.number + 1, one.end_s)
    assert len({window.key("x") for window in told}) == len(told)


def test_only_what_was_cut_is_partial() -> None:
    clock = IntervalClock(60.0, 130.0)
    assert [window.partial for window in clock.closed(300.0)] == [True, False, False]
    (last,) = clock.cut(310.0)
    assert (last.partial, last.start_s, last.end_s) == (True, 300.0, 310.0)


def test_a_beginning_and_an_end_on_the_boundary_cut_nothing() -> None:
    clock = IntervalClock(60.0, 120.0)
    assert [window.partial for window in clock.cut(240.0)] == [False, False]


def test_after_days_asleep_only_the_last_day_is_told() -> None:
    clock = IntervalClock(60.0, 0.0)
    told = clock.closed(60.0 * 10 * MAX_WINDOWS)
    assert len(told) == MAX_WINDOWS
    assert told[-1].end_s == 60.0 * 10 * MAX_WINDOWS


def test_a_beginning_just_before_the_boundary_makes_no_second_window_of_the_same_key() -> None:
    clock = IntervalClock(60.0, 119.9999)
    assert [window.key("x") for window in clock.cut(200.0)] == ["x:120000", "x:180000"]
