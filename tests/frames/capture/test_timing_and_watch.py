"""The pure parts: which frames to take, how the picture is."""

from __future__ import annotations

import random

import numpy as np
import pytest

from runtime.frames.capture.watch import FrameWatch, StreamFinding
from runtime.frames.timing import AnalysisPacer, StaleShare


@pytest.mark.parametrize(
    ("source_fps", "analysis_fps", "taken"),
    [(25, 10, 100), (10, 10, 100), (15, 5, 50), (30, 12, 120), (8, 10, 80)],
    ids=["25 to 10", "every one", "every third", "uneven share", "a slow source"],
)
def test_frames_are_taken_at_the_analysis_rate(source_fps: int, analysis_fps: int, taken: int) -> None:
    rate, rng = AnalysisPacer(analysis_fps), random.Random(3)
    times = [number / source_fps + rng.uniform(0, 0.2 / source_fps) for number in range(source_fps * 10)]
    assert sum(rate.wants(time_s) for time_s in times) == pytest.approx(taken, abs=2)


def test_a_gap_in_the_stream_is_not_made_up_for() -> None:
    rate = AnalysisPacer(5)
    before = sum(rate.wants(number / 25) for number in range(50))
    after = sum(rate.wants(60 + number / 25) for number in range(50))
    assert before == after
    assert 10 <= after <= 11


def test_time_going_back_starts_afresh() -> None:
    rate = AnalysisPacer(5)
    assert rate.wants(1000.0)
    assert rate.wants(10.0)


def noisy(level: int, spread: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(level + rng.integers(-spread, spread + 1, (120, 160, 3)), 0, 255).astype(np.uint8)


def test_a_dark_picture_without_contrast_is_black_after_a_while() -> None:
    watch = FrameWatch(black_after_s=2.0)
    findings = [watch.look(noisy(6, 3, second), second * 0.5) for second in range(6)]
    assert findings == [StreamFinding.FINE] * 4 + [StreamFinding.BLACK] * 2


def test_a_night_scene_with_a_lamp_is_not_black() -> None:
    watch = FrameWatch(black_after_s=1.0)
    scene = noisy(8, 4, 1)
    scene[:40, :60] = 220
    assert [watch.look(scene + np.uint8(second % 2), float(second)) for second in range(5)] == [
        StreamFinding.FINE
    ] * 5


def test_pictures_that_follow_soon_on_one_that_was_judged_cost_nothing() -> None:
    watch, shown, dark = FrameWatch(black_after_s=1.0), noisy(120, 30, 1), noisy(6, 3, 2)
    fine, black = StreamFinding.FINE, StreamFinding.BLACK
    looks = [
        (10.0, shown, fine),
        (10.1, dark, fine),
        (10.2, dark, fine),
        (11.1, dark, fine),
        (11.3, dark, black),
    ]
    looks += [(11.4, shown, black), (11.5, shown, fine), (5.0, dark, fine), (6.1, dark, black)]
    for time_s, picture, finding in looks:
        assert watch.look(picture, time_s) is finding, time_s


def test_a_picture_that_never_differs_is_frozen_and_recovers_with_the_next_that_does() -> None:
    watch = FrameWatch(frozen_after_s=3.0)
    still = noisy(100, 50, 1)
    findings = [watch.look(still, float(second)) for second in range(6)]
    assert findings == [StreamFinding.FINE] * 4 + [StreamFinding.FROZEN] * 2
    assert watch.look(noisy(100, 50, 2), 6.0) is StreamFinding.FINE


def test_a_still_scene_with_a_sensors_noise_is_not_frozen() -> None:
    watch = FrameWatch(frozen_after_s=1.0)
    assert all(watch.look(noisy(100, 1, second), float(second)) is StreamFinding.FINE for second in range(10))


def test_it_is_said_when_more_than_one_in_twenty_pictures_came_too_late() -> None:
    share = StaleShare()
    for second in range(60):
        share.add(float(second), 25, 1)
    assert share.remark == ""
    for second in range(60, 90):
        share.add(float(second), 25, 3)
    assert share.remark.endswith(
        "of its pictures came too late and were left out: is its network overloaded?"
    )
    assert 6 <= int(share.remark.partition("%")[0]) <= 12
    for second in range(90, 160):
        share.add(float(second), 25, 0)
    assert share.remark == "", "of the last minute only"
    few = StaleShare()
    few.add(0.0, 3, 1)
    assert few.remark == "", "one of three says nothing"
