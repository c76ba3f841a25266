from __future__ import annotations

from web.security.limits import MAX_BUCKETS, RateLimit


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    clock = Clock()
    limit = RateLimit(3, 10.0, clock)
    assert [limit.wait_s("a") for _ in range(3)] == [0, 0, 0]
    assert limit.wait_s("a") == 10.0
    assert limit.wait_s("b") == 0, "each key has its own"
    clock.now_s += 10.0
    assert limit.wait_s("a") == 0
    assert limit.wait_s("a") > 0


def test_who_is_refused_waits_no_longer_for_having_asked() -> None:
    clock = Clock()
    limit = RateLimit(1, 10.0, clock)
    limit.wait_s("a")
    assert {limit.wait_s("a") for _ in range(50)} == {10.0}


def test_the_number_of_keys_is_bounded() -> None:
    limit = RateLimit(1, 10.0, Clock())
    for number in range(MAX_BUCKETS + 10):
        limit.wait_s(str(number))
    assert len(limit._full_s) == MAX_BUCKETS
