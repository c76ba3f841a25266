"""Readers whose phases are half a turn off at random: recognised, said, and used all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rfid_reader.antenna_calibration import calibrate_still, load_calibration, save_calibration
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.half_turns import MOST_SHARE, HalfTurnWatch, counted, doubled, share_of, steps_within_cells
from rfid_reader.reads import TWO_PI, ReadTable
from rfid_reader.simulator.world import World
from tests.rfid_reader.small_stores import small_store

HALF = [
    {"rack": "shirts", "tag": 2, "start_s": at_s, "end_s": at_s + 3.0, "person": None} for at_s in (30, 45)
]


def recorded(seconds: float = 60.0, **changes: object) -> ReadTable:
    world = World(small_store(**changes))
    return world.reads(seconds, world.setup()).in_time_order()


def half_turned(reads: ReadTable, share: float) -> ReadTable:
    half = np.random.default_rng(4).random(len(reads)) < share
    return replace(reads, phase_rad=(reads.phase_rad + np.pi * half) % TWO_PI)


@pytest.fixture(scope="module")
def still() -> ReadTable:
    return recorded()


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_reader_that_is_half_a_turn_off_is_recognised_and_said(still: ReadTable, share: float) -> None:
    found = calibrate_still(half_turned(still, share))
    assert found.phases_doubled
    assert found.half_turns == pytest.approx(2 * share * (1 - share), abs=0.05)
    assert "half a turn at random" in found.findings[0]
    assert not any("was not quiet" in finding for finding in found.findings)


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_a_sound_reader_keeps_its_whole_turn(still: ReadTable, share: float) -> None:
    found = calibrate_still(half_turned(still, share))
    assert not found.phases_doubled and not any("half a turn" in finding for finding in found.findings)


def test_what_was_recognised_is_kept_in_the_file(still: ReadTable, tmp_path: Path) -> None:
    found = calibrate_still(half_turned(still, 0.5))
    save_calibration(tmp_path / "cal.yaml", found)
    assert load_calibration(tmp_path / "cal.yaml") == found
    assert ProductionDetector(found).phases_doubled


def test_a_store_that_moves_is_not_taken_for_such_a_reader() -> None:
    rng = np.random.default_rng(2)
    assert share_of(counted(rng.uniform(-np.pi, np.pi, 5000))) is None
    mixed = np.concatenate([rng.normal(0, 0.1, 2000), rng.uniform(-np.pi, np.pi, 3000)])
    share = share_of(counted(mixed))
    assert share is not None and share < MOST_SHARE
    assert share_of(counted(rng.normal(0, 0.1, 20))) is None


def test_steps_stay_within_a_tag_antenna_and_channel() -> None:
    reads = ReadTable.from_columns(
        [0.0, 0.1, 0.2, 0.3, 5.0],
        ["aa", "bb", "aa", "aa", "aa"],
        [1] * 5,
        [1, 1, 1, 2, 1],
        [-50.0] * 5,
        [1, 2, 1.5, 3, 1],
    )
    assert steps_within_cells(reads).tolist() == pytest.approx([0.5, -0.5])
    assert steps_within_cells(reads, 1.0).tolist() == pytest.approx([0.5])


def test_doubling_takes_half_turns_away(still: ReadTable) -> None:
    apart = np.exp(1j * (doubled(half_turned(still, 0.5)).phase_rad - doubled(still).phase_rad))
    assert np.abs(apart - 1).max() < 1e-9


def test_without_a_calibration_a_running_reader_is_recognised_for_good(still: ReadTable) -> None:
    watch = HalfTurnWatch()
    parts = np.array_split(np.arange(len(still)), 60)
    began = [watch.take(half_turned(still, 0.5).take(part)) for part in parts]
    assert sum(began) == 1 and watch.doubling
    detector = ProductionDetector()
    assert detector.remarks == ()
    detector.feed(half_turned(still, 0.5))
    assert "half a turn at random" in detector.remarks[0]
    sound = HalfTurnWatch()
    assert not any(sound.take(still.take(part)) for part in parts)


def test_a_turned_garment_is_found_by_such_a_reader_too() -> None:
    handled = half_turned(recorded(flips={"given": HALF}), 0.5)
    calibration = calibrate_still(half_turned(recorded(), 0.5))
    detector = ProductionDetector(calibration)
    flips = detector.feed(handled) + detector.finish()
    shirt = "e28011" + "0" * 17 + "2"
    assert [flip.epc for flip in flips] == [shirt] * 2
