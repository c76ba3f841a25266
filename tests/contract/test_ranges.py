"""Sets of sequence numbers against plain sets."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.ranges import SeqRanges

pieces = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda p: (p[0], p[0] + p[1])), max_size=25
)


@given(pieces)
def test_ranges_hold_what_a_set_would_hold(added: list[tuple[int, int]]) -> None:
    ranges = SeqRanges(added)
    members = {n for first, last in added for n in range(first, last + 1)}
    assert {n for n in range(1, 80) if n in ranges} == members
    assert ranges.count() == len(members)
    assert {n for a, b in ranges.missing(75) for n in range(a, b + 1)} == set(range(1, 76)) - members
    assert SeqRanges.parse(str(ranges)) == ranges


@given(pieces)
def test_ranges_never_touch_each_other(added: list[tuple[int, int]]) -> None:
    found = list(SeqRanges(added))
    assert all(left[1] + 1 < right[0] for left, right in pairwise(found))


def test_the_prefix_ends_at_the_first_hole() -> None:
    assert SeqRanges().prefix_end() == 0
    assert SeqRanges([(2, 9)]).prefix_end() == 0
    assert SeqRanges([(1, 4), (6, 9)]).prefix_end() == 4


@pytest.mark.parametrize("text", ["x", "3-1", "0", "-4", "1-2-3"])
def test_text_that_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        SeqRanges.parse(text)


@given(pieces, st.integers(1, 80), st.integers(1, 80))
def test_what_is_missing_of_a_stretch_is_what_is_not_in_it(
    numbers: list[tuple[int, int]], first: int, last: int
) -> None:
    ranges = SeqRanges(numbers)
    found = {number for start, end in ranges.missing(last, first) for number in range(start, end + 1)}
    assert found == {number for number in range(first, last + 1) if number not in ranges}


@given(st.lists(st.integers(1, 60)))
def test_numbers_one_by_one_are_the_same_set(numbers: list[int]) -> None:
    assert SeqRanges.of(numbers) == SeqRanges((number, number) for number in numbers)
