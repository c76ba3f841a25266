"""What single reads and whole racks say about a tag in a hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.flips.judging import ScoreLog
from rfid_reader.flips.features.channel_steps import LONGEST_S, StepTracker
from rfid_reader.flips.features.odds import phase_odds, rssi_odds, turn_of
from rfid_reader.flips.features.residuals import READER_PAUSE_S, ResidualTracker
from rfid_reader.flips.features.rivalry import Rivals
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.reads import ReadTable

CALM, RESTLESS = np.array([0.005]), np.array([0.5])


def test_a_far_turn_speaks_for_a_hand_only_where_the_link_is_usually_calm() -> None:
    turn = turn_of(np.array([1.5]))
    assert phase_odds(turn, CALM)[0] > 2
    assert phase_odds(turn, RESTLESS)[0] < phase_odds(turn, CALM)[0]
    assert phase_odds(turn_of(np.zeros(1)), CALM)[0] < -1


def test_odds_of_a_turn_are_those_of_the_two_distributions() -> None:
    usual_turn = np.array([0.1])
    narrow = 0.5 / 0.11
    angle_rad = 0.8
    von_mises = np.exp(narrow * np.cos(angle_rad)) / (2 * np.pi * np.i0(narrow))
    expected = np.log(1 / (2 * np.pi) / von_mises)
    assert phase_odds(turn_of(np.array([angle_rad])), usual_turn)[0] == pytest.approx(expected, abs=0.05)


def test_a_half_turn_on_a_restless_link_is_taken_for_the_readers_error() -> None:
    assert (
        phase_odds(turn_of(np.array([np.pi])), RESTLESS)[0]
        < phase_odds(turn_of(np.array([1.8])), RESTLESS)[0]
    )


def test_a_level_that_fell_speaks_for_a_hand_more_than_one_that_rose() -> None:
    usual_shift = np.array([4.0])
    assert rssi_odds(np.array([-7.0]), usual_shift)[0] > rssi_odds(np.array([7.0]), usual_shift)[0]
    assert rssi_odds(np.array([0.0]), usual_shift)[0] < 0


def test_rivals_are_compared_within_their_group_only() -> None:
    rivals = Rivals(np.array([0, 1, 0, 0, 2, 1]))
    value = np.array([3.0, 9.0, 5.0, 1.0, 4.0, 9.0])
    assert rivals.mean(value).tolist() == [3.0, 9.0, 2.0, 4.0, 0.0, 9.0]
    assert rivals.highest(value).tolist() == [5.0, 9.0, 3.0, 5.0, 0.0, 9.0]
    assert rivals.place(value).tolist() == [1, 0, 0, 2, 0, 1]
    assert rivals.share_above(value).tolist() == [0.5, 0.0, 0.0, 1.0, 0.0, 1.0]


def test_rivals_agree_with_a_plain_count_on_random_groups() -> None:
    rng = np.random.default_rng(5)
    group, value = rng.integers(0, 9, 200), rng.integers(0, 30, 200) / 7
    rivals = Rivals(group)
    for tag in range(200):
        others = np.delete(value, tag)[np.delete(group, tag) == group[tag]]
        assert rivals.highest(value)[tag] == (others.max() if len(others) else 0)
        assert rivals.mean(value)[tag] == pytest.approx(others.mean() if len(others) else 0)
        assert rivals.place(value)[tag] >= (others > value[tag]).sum()


def reads(time_s: list[float], channel: list[int], phase_rad: list[float]) -> ReadTable:
    count = len(time_s)
    return ReadTable.from_columns(time_s, ["aa"] * count, [1] * count, channel, [-50.0] * count, phase_rad)


def steps(tracker: StepTracker, table: ReadTable) -> list[float]:
    found = tracker.take(np.zeros(len(table), np.int64), table.channel.astype(np.int64), table)
    return [round(float(turn), 3) for turn in found.turn]


def test_steps_are_taken_on_one_channel_within_a_second_across_batches() -> None:
    tracker = StepTracker()
    assert steps(tracker, reads([0.0, 0.1, 0.2], [1, 1, 2], [1.0, 1.5, 2.0])) == [round(1 - np.cos(1.0), 3)]
    assert steps(tracker, reads([0.3], [2], [2.0 + np.pi])) == [0.0]
    assert steps(tracker, reads([0.3 + LONGEST_S + 0.1], [2], [3.0])) == []


def test_a_row_that_stands_for_another_tag_has_no_step_from_the_old_one() -> None:
    tracker = StepTracker()
    steps(tracker, reads([0.0], [1], [1.0]))
    tracker.forget(np.zeros(1, np.int64))
    assert steps(tracker, reads([0.1], [1], [2.0])) == []


@pytest.mark.parametrize(("pause_s", "handled"), [(READER_PAUSE_S + 3.0, False), (0.5, True)])
def test_what_moved_while_the_reader_paused_is_no_movement(pause_s: float, handled: bool) -> None:
    tracker, tags = ResidualTracker(), np.zeros(1, np.int64)
    noise = np.random.default_rng(1).normal(0, 0.02, 400)
    for number in range(100):
        tracker.take(reads([0.25 * number], [1], [1.0 + noise[number]]), tags, ["aa"])
    resumed_s = 0.25 * 99 + pause_s
    after = [
        tracker.take(reads([resumed_s + 0.25 * number], [1], [3.0 + noise[number]]), tags, ["aa"])
        for number in range(4)
    ]
    assert (max(float(one.phase_odds[0]) for one in after) > 0) == handled


def a_tag(noise_rad: float, turn_rad: float, seconds: float = 60.0, seed: int = 4) -> ReadTable:
    """Twelve reads a second of one tag on one channel; its phase has this noise, and turns at random by
    turn_rad from read to read."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(0.0, seconds, 1 / 12)
    phase = np.cumsum(turn_rad * rng.normal(size=len(time_s))) + noise_rad * rng.normal(size=len(time_s))
    ones = np.ones(len(time_s))
    return ReadTable.from_columns(time_s, ["aa"] * len(time_s), ones, ones, -60 * ones, phase % (2 * np.pi))


@pytest.mark.parametrize(("noise_rad", "turn_rad", "judged"), [(0.1, 1.2, True), (0.1, 0.0, False)])
def test_a_tag_that_is_carried_for_long_is_still_judged(
    noise_rad: float, turn_rad: float, judged: bool
) -> None:
    detector = ProductionDetector()
    detector.events = log = ScoreLog(detector.events.rules, detector.tag_rows.epcs, detector.events.window_s)
    detector.feed(a_tag(noise_rad, turn_rad))
    late = [len(rows) > 0 for at_s, rows, _ in log.log if 35.0 < at_s < 55.0]
    assert len(late) > 30 and np.mean(late) == pytest.approx(float(judged), abs=0.1)


def test_doubled_phases_step_by_what_they_are() -> None:
    pair, channel = np.zeros(2, np.int64), np.ones(2, np.int64)
    reads = a_tag(0.0, 0.5, 0.16)
    turn = 1 - np.cos(2 * np.diff(reads.phase_rad))
    assert StepTracker().take(pair, channel, reads).turn == pytest.approx(turn)
    both = replace(reads, phase_rad=(2 * reads.phase_rad) % (2 * np.pi))
    assert StepTracker(doubled=True).take(pair, channel, both).turn == pytest.approx(turn)
