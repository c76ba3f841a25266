"""When to try again what has failed."""

from __future__ import annotations

import random

from tagsight.backoff import BEYOND, Backoff


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(random.Random(1), first_s=1.0, longest_s=8.0, spread=(1.0, 1.0))
    assert [backoff.failed() for _ in range(6)] == [1, 2, 4, 8, 8, 8]


def test_waits_are_spread_around_their_mean() -> None:
    backoff = Backoff(random.Random(1), first_s=10.0, longest_s=10.0, spread=(0.7, 1.3))
    waits = [backoff.failed() for _ in range(300)]
    assert 7.0 <= min(waits) < 7.3 and 12.7 < max(waits) <= 13.0


def test_a_source_that_worked_for_long_starts_from_the_shortest_wait() -> None:
    backoff = Backoff(random.Random(1), first_s=1.0, spread=(1.0, 1.0), stable_s=10.0)
    for _ in range(4):
        backoff.failed()
    for now_s in range(12):
        backoff.worked(float(now_s))
    assert backoff.failed() == 1.0


def test_a_source_that_breaks_off_at_once_waits_longer_each_time() -> None:
    backoff = Backoff(random.Random(1), first_s=1.0, spread=(1.0, 1.0), stable_s=10.0)
    waits = []
    for turn in range(3):
        backoff.worked(turn * 20.0)
        backoff.worked(turn * 20.0 + 1.0)
        waits.append(backoff.failed())
    assert waits == [1, 2, 4]


def test_a_fault_may_ask_for_a_longer_wait() -> None:
    assert Backoff(random.Random(1), first_s=1.0, spread=(1.0, 1.0)).failed(least_s=30.0) == 30.0


def test_waits_beyond_their_bound_are_never_shorter_and_start_over() -> None:
    backoff = Backoff(random.Random(1), first_s=1.0, longest_s=8.0, spread=BEYOND)
    waits = [backoff.failed() for _ in range(8)]
    for wait_s, bound_s in zip(waits, [1, 2, 4, 8, 8, 8, 8, 8], strict=True):
        assert bound_s <= wait_s <= 1.5 * bound_s
    assert len(set(waits)) == 8
    backoff.reset()
    assert backoff.failed() <= 1.5
