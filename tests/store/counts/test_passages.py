"""One person at one line: sides, where a way meets it, and what is taken back when it was somebody else."""

from __future__ import annotations

import pytest

from runtime.store.counts.passages import (
    HYSTERESIS_M,
    SETTLE_S,
    SURE_M,
    TURNS_KEPT_S,
    Crossing,
    LinePassage,
    LinePosition,
    cut_between,
    pace,
    settles,
    side_of,
)
from runtime.store.people.identity import Source

HERE: Source = ("door", 1)


def at(time_s: float, depth_m: float, along_m: float = 0.0) -> LinePosition:
    return LinePosition(time_s, depth_m, along_m)


@pytest.mark.parametrize(
    ("depth_m", "side"),
    [(0.0, 0), (HYSTERESIS_M, 0), (-HYSTERESIS_M, 0), (HYSTERESIS_M + 0.01, 1), (-HYSTERESIS_M - 0.01, -1)],
)
def test_on_the_line_and_close_to_it_is_no_side(depth_m: float, side: int) -> None:
    assert side_of(depth_m) == side


def test_a_side_holds_after_a_while_or_at_once_far_beyond_it() -> None:
    passage, close = LinePassage(HERE), (HYSTERESIS_M + SURE_M) / 2
    assert settles(passage, at(0.0, close)) == 0
    assert settles(passage, at(SETTLE_S - 0.01, close)) == 0
    assert settles(passage, at(SETTLE_S, close)) == 1
    assert settles(passage, at(SETTLE_S + 0.1, -close)) == 0, "the other side begins to count anew"
    assert settles(passage, at(SETTLE_S + 0.2, -SURE_M - 0.01)) == -1


def test_a_way_meets_the_line_where_and_when_it_does() -> None:
    met = cut_between(at(10.0, -1.0, 0.0), at(12.0, 3.0, 4.0))
    assert met == at(10.5, 0.0, 1.0)
    assert cut_between(at(0.0, 1.0), at(1.0, 2.0)) is None


def test_pace_is_by_least_squares_and_none_from_a_single_stand() -> None:
    assert pace([at(1.0, 5.0)]) == (0.0, 0.0)
    assert pace([at(0.0, 0.0, 2.0), at(1.0, 0.5, 1.0), at(2.0, 1.0, 0.0)]) == pytest.approx((0.5, -1.0))


def test_what_counted_is_handed_to_the_person_who_did_it_from_that_moment_on() -> None:
    early, late = Crossing("door", 1, "in", 10.0), Crossing("door", 1, "out", 14.0)
    passage = LinePassage(HERE, settled=-1)
    passage.turned(10.0, early)
    passage.settled = 1
    passage.turned(14.0, late)
    passage.inferred = late
    found = passage.hand_over(7, since_s=12.0)
    assert [(one.person, one.direction, one.retracted) for one in found] == [
        (1, "out", True),
        (7, "out", False),
    ]
    assert passage.inferred is not None and passage.inferred.person == 7
    assert passage.hand_over(7, since_s=20.0) == []
    assert (passage.settled_at(9.0), passage.settled_at(12.0), passage.settled_at(15.0)) == (-1, 1, 1)


def test_a_crossing_that_turned_out_otherwise_is_replaced_or_forgotten() -> None:
    told, right = Crossing("door", 1, "in", 10.0, inferred=True), Crossing("door", 1, "in", 11.0)
    passage = LinePassage(HERE)
    passage.turned(10.0, told)
    passage.correct(told, right)
    assert [turn.crossing for turn in passage.turns] == [right] and passage.turns[0].time_s == 11.0
    passage.correct(right, None)
    assert passage.turns == []


def test_turns_of_long_ago_are_forgotten() -> None:
    passage = LinePassage(HERE)
    passage.turned(0.0, None)
    passage.turned(TURNS_KEPT_S + 0.1, None)
    assert [turn.time_s for turn in passage.turns] == [TURNS_KEPT_S + 0.1]
