from __future__ import annotations

import pytest

from runtime.clock import MAX_SLEW, HostClock


class Clocks:
    """A wall and a monotonic clock a test can turn."""

    def __init__(self) -> None:
        self.wall_s = 1_000_000.0
        self.mono_s = 50.0

    def pass_time(self, seconds: float) -> None:
        self.wall_s += seconds
        self.mono_s += seconds


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_step_of_the_wall_clock_moves_our_time_by_the_slew_only(step_s: float) -> None:
    clocks = Clocks()
    clock = HostClock(lambda: clocks.wall_s, lambda: clocks.mono_s)
    before = clock.now()
    clocks.wall_s += step_s
    clocks.pass_time(10.0)
    assert clock.now() - before == pytest.approx(10.0, abs=10 * MAX_SLEW + 1e-9)
    assert clock.offset_s() == pytest.approx(step_s, abs=0.01)


def test_drift_is_slewed_away() -> None:
    clocks = Clocks()
    clock = HostClock(lambda: clocks.wall_s, lambda: clocks.mono_s)
    for _ in range(100):
        clocks.pass_time(1.0)
        clocks.wall_s += 100e-6
        clock.now()
    assert abs(clock.offset_s()) < 1e-6


def test_a_child_started_from_the_parents_state_agrees_with_it() -> None:
    clocks = Clocks()
    parent = HostClock(lambda: clocks.wall_s, lambda: clocks.mono_s)
    clocks.wall_s += 3600.0
    child = HostClock(lambda: clocks.wall_s, lambda: clocks.mono_s, parent.state)
    clocks.pass_time(5.0)
    assert child.now() == pytest.approx(parent.now(), abs=1e-9)


def test_a_thread_that_asks_in_the_middle_of_anothers_reading_does_not_push_time_ahead() -> None:
    clocks = Clocks()
    clock = HostClock(lambda: clocks.wall_s, lambda: clocks.mono_s)
    before_s = clock.now()

    class SwitchingThreads(float):
        """Another thread has its turn while this reading is worked on."""

        def __sub__(self, other: float) -> float:
            clock._monotonic = lambda: clocks.mono_s
            clock.now()
            return float(self) - other

    clocks.pass_time(1.0)
    clock._monotonic = lambda: SwitchingThreads(clocks.mono_s)
    assert clock.now() - before_s == pytest.approx(1.0, abs=1e-9)
