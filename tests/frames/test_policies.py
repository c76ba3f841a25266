"""The pure parts: which frames to take, when they were taken, how the picture is."""

from __future__ import annotations

import random

import numpy as np
import pytest

from runtime.frames.live import STALE_S
from runtime.frames.timing import AnalysisRate, SourceClock
from runtime.frames.watch import Finding, PictureWatch


@pytest.mark.parametrize(
    ("source_fps", "analysis_fps", "taken"),
    [(25, 10, 100), (10, 10, 100), (15, 5, 50), (30, 12, 120), (8, 10, 80)],
    ids=["25 to 10", "every one", "every third", "uneven share", "a slow source"],
)
def test_frames_are_taken_at_the_analysis_rate(source_fps: int, analysis_fps: int, taken: int) -> None:
    rate, rng = AnalysisRate(analysis_fps), random.Random(3)
    times = [number / source_fps + rng.uniform(0, 0.2 / source_fps) for number in range(source_fps * 10)]
    assert sum(rate.wants(time_s) for time_s in times) == pytest.approx(taken, abs=2)


def test_a_gap_in_the_stream_is_not_made_up_for() -> None:
    rate = AnalysisRate(5)
    before = sum(rate.wants(number / 25) for number in range(50))
    after = sum(rate.wants(60 + number / 25) for number in range(50))
    assert before == after
    assert 10 <= after <= 11


def test_time_going_back_starts_afresh() -> None:
    rate = AnalysisRate(5)
    assert rate.wants(1000.0)
    assert rate.wants(10.0)


def test_network_jitter_does_not_show_in_the_time_a_frame_was_taken() -> None:
    clock, rng = SourceClock(), random.Random(5)
    errors = []
    for number in range(500):
        taken_s = number / 25
        arrived_s = 1000.0 + taken_s + 0.04 + rng.expovariate(1 / 0.03)
        errors.append(clock.host_time(taken_s, arrived_s) - (1000.0 + taken_s))
    assert max(errors[100:]) - min(errors[100:]) < 0.01
    assert 0.04 <= np.median(errors) < 0.05


def test_a_source_clock_that_runs_slow_is_followed() -> None:
    clock = SourceClock()
    for number in range(25 * 3600):
        taken_s = number / 25
        found_s = clock.host_time(taken_s * (1 - 50e-6), taken_s + 0.05)
    assert found_s == pytest.approx(taken_s + 0.05, abs=0.02)


def test_a_source_clock_that_is_set_forward_is_followed_at_once() -> None:
    clock = SourceClock()
    clock.host_time(10.0, 1000.0)
    assert clock.host_time(5000.0, 1000.1) == pytest.approx(1000.1)


def test_a_source_clock_that_is_set_back_is_followed_after_a_while() -> None:
    clock = SourceClock(patience_s=3.0)
    clock.host_time(5000.0, 1000.0)
    ages = []
    for number in range(1, 50):
        arrived_s = 1000.0 + number / 10
        ages.append(arrived_s - clock.host_time(10.0 + number / 10, arrived_s))
    assert ages[20] > 2.0
    assert ages[-1] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("set_back_s", [1.2, 1.5, 1.9, 2.5])
def test_a_stream_does_not_stay_stale_for_good(set_back_s: float) -> None:
    clock = SourceClock()
    clock.host_time(100.0, 1000.0)
    for number in range(1, 100):
        arrived_s = 1000.0 + number / 10
        age_s = arrived_s - clock.host_time(100.0 + number / 10 - set_back_s, arrived_s)
    assert age_s <= STALE_S


def test_frames_that_were_held_up_keep_the_time_they_were_taken() -> None:
    clock = SourceClock()
    for number in range(100):
        taken_s = number / 10
        arrived_s = 1000.0 + max(taken_s, 5.0 if 1.0 < taken_s < 5.0 else 0.0) + 0.03
        assert clock.host_time(taken_s, arrived_s) == pytest.approx(1000.03 + taken_s, abs=0.01)


def test_time_never_goes_back_and_never_lies_ahead_of_the_arrival() -> None:
    clock, rng = SourceClock(), random.Random(6)
    last_s, arrived_s = 0.0, 1000.0
    for number in range(500):
        arrived_s += rng.choice([0.0, 0.04, 0.5])
        found_s = clock.host_time(number / 25, arrived_s)
        assert last_s <= found_s <= arrived_s
        last_s = found_s


def noisy(level: int, spread: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(level + rng.integers(-spread, spread + 1, (120, 160, 3)), 0, 255).astype(np.uint8)


def test_a_dark_picture_without_contrast_is_black_after_a_while() -> None:
    watch = PictureWatch(black_after_s=2.0)
    findings = [watch.look(noisy(6, 3, second), second * 0.5) for second in range(6)]
    assert findings == [Finding.FINE] * 4 + [Finding.BLACK] * 2


def test_a_night_scene_with_a_lamp_is_not_black() -> None:
    watch = PictureWatch(black_after_s=1.0)
    scene = noisy(8, 4, 1)
    scene[:40, :60] = 220
    assert [watch.look(scene + np.uint8(second % 2), float(second)) for second in range(5)] == [
        Finding.FINE
    ] * 5


def test_a_picture_that_never_differs_is_frozen_and_recovers_with_the_next_that_does() -> None:
    watch = PictureWatch(frozen_after_s=3.0)
    still = noisy(100, 50, 1)
    findings = [watch.look(still, float(second)) for second in range(6)]
    assert findings == [Finding.FINE] * 4 + [Finding.FROZEN] * 2
    assert watch.look(noisy(100, 50, 2), 6.0) is Finding.FINE


def test_a_still_scene_with_a_sensors_noise_is_not_frozen() -> None:
    watch = PictureWatch(frozen_after_s=1.0)
    assert all(watch.look(noisy(100, 1, second), float(second)) is Finding.FINE for second in range(10))
