"""Scores by how often tags were read themselves, and the scenes that stores do not hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.flips.judging import DetectorRun, ScoreLog
from bench.flips.own_rates import own_rate_row, own_rate_rows
from bench.flips.real_reads import spread_in_cells
from rfid_reader.flips import DetectedFlip
from rfid_reader.flips.events import EventRules
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.recordings import StoreRecording
from rfid_reader.training.scenes import beset_scene, facing_scene, lone_scene, with_pauses


def store(**reads_hz: float) -> StoreRecording:
    """A hundred seconds of tags read so often, each flipped from 50 to 53 s."""
    times, epcs = [], []
    for epc, rate_hz in reads_hz.items():
        times.append(np.arange(0.0, 100.0, 1 / rate_hz))
        epcs += [epc] * len(times[-1])
    count = np.ones(len(epcs))
    table = ReadTable.from_columns(np.concatenate(times), epcs, count, count, -50 * count, count)
    flips = [TrueFlip(epc, "rack", None, 50.0, 53.0) for epc in reads_hz]
    return StoreRecording("store", 100.0, len(reads_hz), table.in_time_order(), flips)


def said(*flips: tuple[str, float, float]) -> DetectorRun:
    found = [(at_s + 7.0, DetectedFlip(epc, at_s, at_s + 2.0, score)) for epc, at_s, score in flips]
    return DetectorRun(found, ScoreLog(EventRules(0.5, 0.25), [], 0.25), 1.0)


def test_only_tags_read_often_enough_count_in_flips_found_and_hours() -> None:
    recording = store(seldom=1.0, often=5.0)
    run = said(("seldom", 50.0, 0.9), ("seldom", 80.0, 0.9), ("often", 50.5, 0.8))
    row = own_rate_row("production", [(recording, run)], 3.0)
    assert (row.precision, row.recall, row.flips, row.false_per_tag_hour) == (1.0, 1.0, 1, 0.0)
    assert row.latency_s == pytest.approx(4.5)
    row = own_rate_row("production", [(recording, run)], 0.5, 3.0)
    assert (row.precision, row.recall, row.flips) == (0.5, 1.0, 1)
    assert row.false_per_tag_hour == pytest.approx(3600 / 85, abs=0.01)


def test_bands_hold_every_tag_once() -> None:
    runs = {("production", 4.0): [(store(a=0.5, b=1.0, c=2.0, d=4.0, e=8.0, f=20.0), said())]}
    rows = own_rate_rows(runs)
    assert [(row.lowest_hz, row.flips) for row in rows if row.thinned_hz is None] == [
        (0.0, 1),
        (0.7, 1),
        (1.4, 1),
        (2.8, 1),
        (5.7, 1),
        (11.3, 1),
    ]
    assert [row.flips for row in rows if row.thinned_hz == 4.0] == [3]


def test_tags_read_often_are_judged_over_all_rates_together_too() -> None:
    recording = store(often=5.0, seldom=1.0)
    right, silent = said(("often", 50.5, 0.9)), said()
    runs = {
        ("production", 2.0): [(recording, silent)],
        ("production", 4.0): [(recording, right)],
        ("production", 8.0): [(recording, silent)],
    }
    of_rates = [row for row in own_rate_rows(runs) if row.lowest_hz == 3.0]
    assert [(row.thinned_hz, row.flips, row.recall) for row in of_rates] == [
        (4.0, 1, 1.0),
        (8.0, 1, 0.0),
        (None, 2, 0.5),
    ]
    assert of_rates[-1].f1 == of_rates[-1].worst_store_f1 == pytest.approx(0.667)


def test_a_reader_with_pauses_is_silent_for_seconds_and_begins_late() -> None:
    recording = store(a=20.0)
    paused = with_pauses(recording, 3, 20.0)
    gaps = np.diff(paused.reads.time_s)
    assert (gaps > 2.0).sum() >= 2
    assert paused.flips == recording.flips
    assert len(paused.reads) < len(recording.reads)


def test_scenes_follow_from_their_seed() -> None:
    first, again = lone_scene(7), lone_scene(7)
    assert first.reads.phase_rad.tolist() == again.reads.phase_rad.tolist()
    assert first.tags <= 3 and first.rate_hz > 10
    other = replace(facing_scene(8), name="")
    assert len(np.unique(other.reads.antenna)) == 1
    assert beset_scene(7).reads.time_s.tolist() == beset_scene(7).reads.time_s.tolist()


def test_people_who_echo_more_spread_phases_further() -> None:
    def spread(scenes: list[StoreRecording]) -> float:
        every = [value for one in scenes for value in spread_in_cells(one.reads, 2.0)[0]]
        return float(np.median(every))

    numbers = range(30000, 30004)
    assert spread([beset_scene(one) for one in numbers]) > 1.3 * spread(
        [facing_scene(one) for one in numbers]
    )
