"""Overload in words: which camera gets how much of what, said when it begins and when it ends."""

from __future__ import annotations

import pytest

from runtime.vision.overload import (
    MIN_LOG_INTERVAL_S,
    REPEAT_LOG_S,
    AnalysisRate,
    OverloadMonitor,
    overload_summary,
)

WORDS = "this box manages 1 of 10 frames a second at 'hall': lower analysis_fps or the detector's size"
FULL = AnalysisRate(10.0, 10.0)
STARVED = AnalysisRate(1.0, 10.0)


def observe(watch: OverloadMonitor, begin_s: int, seconds: float, **shares: AnalysisRate) -> list[str]:
    told = (watch.observe(begin_s + second, 1.0, shares) for second in range(int(seconds)))
    return [each for each in told if each is not None]


def test_a_starved_camera_is_named_with_what_would_help() -> None:
    watch = OverloadMonitor()
    assert observe(watch, 0, 10, hall=STARVED, door=FULL) == [WORDS]
    assert watch.summary == WORDS


def test_a_machine_that_keeps_up_says_nothing() -> None:
    watch = OverloadMonitor()
    assert (
        observe(
            watch,
            0,
            60,
            hall=AnalysisRate(9.0, 10.0),
            slow=AnalysisRate(1.0, 1.0),
            dead=AnalysisRate(0.0, 0.0),
        )
        == []
    )
    assert watch.summary == ""


def test_a_moment_s_delay_is_no_overload() -> None:
    watch = OverloadMonitor()
    assert observe(watch, 0, 10, hall=FULL) == []
    assert watch.observe(10.0, 1.0, {"hall": AnalysisRate(6.0, 10.0)}) is None
    assert observe(watch, 11, 10, hall=FULL) == []


def test_what_lasts_is_logged_now_and_then_and_its_end_once() -> None:
    watch = OverloadMonitor()
    lasting = observe(watch, 0, 2 * REPEAT_LOG_S + 10, hall=STARVED)
    assert lasting == [WORDS] * 3
    ended = observe(watch, int(2 * REPEAT_LOG_S) + 10, 100, hall=FULL)
    assert ended == ["this box keeps up with its cameras again"]
    assert watch.summary == ""


def test_a_camera_at_the_border_does_not_fill_the_log() -> None:
    watch, told = OverloadMonitor(), []
    for turn in range(60):
        told += observe(watch, 20 * turn, 10, hall=STARVED)
        told += observe(watch, 20 * turn + 10, 10, hall=FULL)
    assert 2 <= len(told) <= 60 * 20 / MIN_LOG_INTERVAL_S + 1


def test_a_camera_that_is_gone_is_no_longer_said_to_be_behind() -> None:
    watch = OverloadMonitor()
    observe(watch, 0, 10, hall=STARVED)
    watch.observe(100.0, 1.0, {})
    assert watch.summary == ""


@pytest.mark.parametrize(
    ("got", "wanted", "words"),
    [(0.04, 10, "0 of 10"), (0.44, 10, "0.4 of 10"), (2.51, 10, "2.5 of 10"), (3.6, 12.4, "4 of 12")],
)
def test_rates_are_round_figures(got: float, wanted: float, words: str) -> None:
    assert f"manages {words} frames a second at 'c'" in overload_summary({"c": AnalysisRate(got, wanted)})


def test_many_cameras_are_one_sentence() -> None:
    text = overload_summary({f"c{number}": STARVED for number in range(20)})
    assert text.startswith("this box manages 1 of 10 frames a second at 'c0', 1 of 10 at 'c1', ")
    assert "too few at 12 more" in text and len(text) < 300
