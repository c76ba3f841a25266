from __future__ import annotations

import random

from runtime.supervisor.children.restarts import RestartPolicy, Restarts


def restarts(**settings: float) -> Restarts:
    return Restarts(RestartPolicy(**settings), random.Random(1))  # type: ignore[arg-type]


def test_each_death_in_a_row_waits_longer_up_to_the_longest() -> None:
    some = restarts(first_s=1.0, factor=2.0, longest_s=5.0, budget=100)
    waits = [some.died(float(second)) - second for second in range(6)]
    for wait, nominal in zip(waits, (1.0, 2.0, 4.0, 5.0, 5.0, 5.0), strict=True):
        assert 0.75 * nominal <= wait <= 1.25 * nominal


def test_two_boxes_do_not_restart_in_step() -> None:
    one, other = restarts(), Restarts(RestartPolicy(), random.Random(2))
    assert one.died(0.0) != other.died(0.0)


def test_a_death_long_ago_is_forgiven() -> None:
    some = restarts(first_s=1.0, window_s=60.0)
    for second in range(3):
        some.died(float(second))
    assert some.died(1000.0) - 1000.0 <= 1.25


def test_a_process_that_keeps_dying_is_tried_seldom_and_called_degraded() -> None:
    some = restarts(budget=3, window_s=100.0, degraded_s=40.0)
    some.died(0.0)
    some.died(1.0)
    assert not some.degraded(1.0)
    assert some.died(2.0) - 2.0 >= 0.75 * 40.0
    assert some.degraded(2.0)
    assert not some.degraded(150.0)
    assert some.total == 3
