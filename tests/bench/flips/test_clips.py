"""Scores of clips, and the marks between the classes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.flips.clip_marks import best_mark
from bench.flips.clips import RULES, balanced_accuracy, clip_rows
from bench.flips.judging import MIN_LOG_ODDS, ScoreLog, run
from rfid_reader.flips import METHODS
from rfid_reader.flips.events import EventRules
from rfid_reader.simulator.recordings import record_store, thinned

E = math.e


def logged(*scores: tuple[float, int, float], ticks: int = 20) -> ScoreLog:
    """Half a second a tick from 0; (time, tag row, score)."""
    log = ScoreLog(EventRules(0.9, 0.8), ["aa", "bb"], 0.25)
    for at_s in (0.5 * tick for tick in range(ticks)):
        now = [(row, score) for time_s, row, score in scores if time_s == at_s]
        rows, values = np.array([row for row, _ in now], np.int64), np.array([value for _, value in now])
        log.tick(at_s, rows, values, rows)
    return log


def test_mean_log_odds_counts_moments_without_a_score_as_the_least() -> None:
    log = logged((2.0, 0, E / (1 + E)), (2.5, 0, E / (1 + E)), (2.0, 1, 0.5))
    assert log.mean_log_odds("aa", 2.0, 2.5) == pytest.approx(1.0)
    assert log.mean_log_odds("aa", 1.5, 3.0) == pytest.approx((2.0 + 2 * MIN_LOG_ODDS) / 4)
    assert log.mean_log_odds("bb", 1.9, 2.1) == pytest.approx(0.0)
    assert log.mean_log_odds("cc", 2.0, 2.5) == MIN_LOG_ODDS
    assert log.mean_log_odds("aa", 50.0, 52.0) == MIN_LOG_ODDS


def test_a_single_certain_moment_weighs_no_more_than_the_least_does() -> None:
    log = logged((2.0, 0, 1.0), (2.5, 0, 0.0))
    assert log.mean_log_odds("aa", 2.0, 2.5) == pytest.approx(0.0, abs=1e-6)


def test_one_high_moment_does_not_make_a_clip_handled() -> None:
    """What a passer-by does to a tag: the highest score cannot tell it from a garment in a hand."""
    spike = logged((2.0, 0, 0.9), *((2.0 + 0.5 * n, 0, 0.02) for n in range(1, 8)))
    held = logged(*((2.0 + 0.5 * n, 0, 0.7) for n in range(8)))
    assert spike.highest("aa", 2.0, 5.5) > held.highest("aa", 2.0, 5.5)
    assert spike.mean_log_odds("aa", 2.0, 5.5) < held.mean_log_odds("aa", 2.0, 5.5)


def test_the_mark_is_one_of_the_best_and_between_clips() -> None:
    handled, others = np.array([1.0, 2.0, 3.0, 4.0]), np.array([-3.0, -2.0, -1.0, 1.5])
    mark, accuracy = best_mark(handled, others)
    assert mark == 1.75
    assert accuracy == balanced_accuracy(handled, others, mark) == 0.875
    assert math.isnan(balanced_accuracy(handled, others[:0], mark))


def test_every_method_has_a_rule_and_production_tells_clips_apart() -> None:
    assert set(RULES) == set(METHODS)
    store = thinned(record_store(1003, 90.0), 9.0)
    calm, pushed = clip_rows("production", 9.0, [(store, run("production", store.reads))])
    assert (calm.against, pushed.against) == ("calm", "pushed")
    assert calm.handled >= 3 and calm.others >= 3
    assert calm.accuracy > 0.8 and calm.auc > 0.9
