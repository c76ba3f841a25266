"""Time in a file: its stamps where they can be believed, its rate where they cannot."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.frames.files.timestamps import LONGEST_PAUSE_S, FileTime

EVEN = [number / 10 for number in range(40)]


def placed(
    stamps: list[float | None], interval_s: float = 0.1, ahead: int = 16
) -> tuple[list[float], FileTime]:
    times = FileTime(interval_s)
    found = []
    for number, stamp_s in enumerate(stamps):
        following = [each for each in stamps[number + 1 : number + 1 + ahead] if each is not None]
        found.append(times.place(stamp_s, lambda following=following: following))
    return found, times


@pytest.mark.parametrize("begin_s", [0.0, -3.0, 1.4, 86_400.0 * 20_000])
def test_time_counts_from_the_first_frame_whatever_its_stamp(begin_s: float) -> None:
    found, times = placed([begin_s + stamp_s for stamp_s in EVEN])
    assert found == pytest.approx(EVEN, abs=1e-5)
    assert (times.wrong, times.clock_set, times.missing) == (0, 0, 0)


@pytest.mark.parametrize("pause_s", [0.5, 20.0, 3600.0, LONGEST_PAUSE_S - 1])
def test_a_pause_is_believed_however_long(pause_s: float) -> None:
    stamps = [stamp_s + (pause_s if stamp_s >= 2.0 else 0.0) for stamp_s in EVEN]
    found, times = placed([*stamps])
    assert found == pytest.approx(stamps)
    assert (times.wrong, times.clock_set) == (0, 0)
    assert times.uneven


@pytest.mark.parametrize("off_s", [-9800.0, -1.0, 1.5, 37_600.0, 1e9])
@pytest.mark.parametrize("run", [1, 3])
def test_stamps_that_are_off_now_and_then_are_left_out(off_s: float, run: int) -> None:
    stamps = [stamp_s + (off_s if number % 9 >= 9 - run else 0.0) for number, stamp_s in enumerate(EVEN[:38])]
    stamps.append(3.8)
    found, times = placed([*stamps])
    assert found == pytest.approx(EVEN[:39], abs=0.1)
    assert found[::9] == pytest.approx(EVEN[:39:9], abs=0.06)
    assert times.wrong >= 4


@pytest.mark.parametrize("set_s", [-3600.0, -2.0, LONGEST_PAUSE_S * 2])
def test_a_clock_that_was_set_does_not_stop_time(set_s: float) -> None:
    stamps = [stamp_s + (set_s if number >= 20 else 0.0) for number, stamp_s in enumerate(EVEN)]
    found, times = placed([*stamps])
    assert found == pytest.approx(EVEN)
    assert times.clock_set == 1


def test_without_stamps_the_rate_is_taken() -> None:
    found, times = placed([None] * 40)
    assert found == pytest.approx(EVEN)
    assert (times.missing, times.stamped) == (40, False)


def test_stamps_that_stand_still_are_replaced_by_the_rate() -> None:
    found, _ = placed([7.0] * 40)
    assert found == pytest.approx(EVEN)


def test_a_stamp_that_is_given_twice_does_not_shift_those_after_it() -> None:
    stamps = [stamp_s - (0.1 if number % 5 == 4 else 0.0) for number, stamp_s in enumerate(EVEN)]
    found, _ = placed([*stamps])
    assert found[::5] == pytest.approx(EVEN[::5])


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e7, 1e7), st.sampled_from([0.0, 1.0, 1.1, 1.2])), max_size=60),
    st.floats(0.01, 1.0),
    st.integers(0, 16),
)
def test_time_always_grows_and_is_finite(stamps: list[float | None], interval_s: float, ahead: int) -> None:
    found, times = placed(stamps, interval_s, ahead)
    assert all(later > earlier for earlier, later in itertools.pairwise(found))
    assert all(0.0 <= time_s < 1e9 for time_s in found)
    assert times.count == len(stamps)
