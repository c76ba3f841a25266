from __future__ import annotations

import random

import pytest

from rfid_reader.backoff import Backoff
from rfid_reader.readerclock import ReaderClock


def play(offset_s: float, drift: float = 0.0, seconds: float = 300.0, latency_s: float = 0.2) -> list[float]:
    """Errors of mapped times: stamps every 0.1 s, each arriving up to latency_s late."""
    rng = random.Random(4)
    clock, errors = ReaderClock(), []
    for step in range(int(seconds * 10)):
        true_s = 1.7e9 + step * 0.1
        stamp_us = round((true_s + offset_s + drift * step * 0.1) * 1e6)
        errors.append(clock.to_host(stamp_us, true_s + rng.uniform(0.002, latency_s)) - true_s)
    return errors


@pytest.mark.parametrize("offset_s", [0.0, -7.5e8, 86_400.0, -1.7e9])
def test_any_offset_is_mapped_to_within_the_shortest_latency(offset_s: float) -> None:
    assert all(-0.01 < error < 0.02 for error in play(offset_s)[100:])
    assert all(-0.01 < error <= 0.2 for error in play(offset_s))


@pytest.mark.parametrize("drift", [5e-5, -5e-5])
def test_drift_is_followed(drift: float) -> None:
    assert all(abs(error) < 0.03 for error in play(1000.0, drift)[300:])


def test_a_mapped_time_is_never_after_the_arrival() -> None:
    clock = ReaderClock()
    assert clock.to_host(10_000_000, 100.0) == 100.0
    assert clock.to_host(12_000_000, 101.0) <= 101.0


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0, -1.0, -0.2, -1e9])
def test_a_step_of_the_readers_clock_does_not_move_our_times(jump_s: float) -> None:
    clock = ReaderClock()
    for step in range(600):
        true_s = 1e6 + step * 0.1
        stamp_s = true_s + (jump_s if step >= 300 else 0.0) + 2e9
        assert clock.to_host(round(stamp_s * 1e6), true_s + 0.01) == pytest.approx(true_s, abs=0.05)
    assert clock.steps == (1 if jump_s < 0 else 0)


def test_reads_held_up_for_a_while_keep_their_own_times() -> None:
    clock = ReaderClock()
    for step in range(100):
        clock.to_host(round((step * 0.1) * 1e6), 1e6 + step * 0.1 + 0.01)
    held = [clock.to_host(round((10 + step * 0.1) * 1e6), 1e6 + 13.0) for step in range(30)]
    assert held[0] == pytest.approx(1e6 + 10.0, abs=0.05)
    assert held[-1] == pytest.approx(1e6 + 12.9, abs=0.05)


def test_waits_grow_to_their_bound_are_jittered_and_start_over() -> None:
    backoff = Backoff(1.0, 8.0, random.Random(1))
    waits = [backoff.next_wait_s() for _ in range(8)]
    for wait_s, bound_s in zip(waits, [1, 2, 4, 8, 8, 8, 8, 8], strict=True):
        assert bound_s <= wait_s <= 1.5 * bound_s
    assert len(set(waits)) == 8
    backoff.reset()
    assert backoff.next_wait_s() <= 1.5
