from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rfid_reader.antenna_calibration import calibrate_still, load_calibration, save_calibration
from rfid_reader.errors import AntennaCalibrationError
from rfid_reader.flips import make_detector
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.world import World
from tests.rfid_reader.small_stores import small_store


@pytest.fixture(scope="module")
def still() -> ReadTable:
    world = World(small_store())
    return world.reads(30.0, world.setup())


def test_a_quiet_recording_gives_noise_rates_and_the_nearest_antenna(still: ReadTable) -> None:
    found = calibrate_still(still, (1, 2))
    assert [summary.antenna for summary in found.antennas] == [1, 2]
    assert len(found.rates) == 8 and min(found.rates.values()) > 5
    assert {epc[:6]: antenna for epc, antenna in found.strongest.items()} == {"e28011": 1, "e28012": 2}
    cells = [cell for own in found.cells.values() for cell in own if cell.reads > 10 and cell.rssi_dbm > -60]
    assert 0.005 < np.median([cell.phase_noise_rad for cell in cells]) < 0.08
    assert found.findings == []


def test_a_dead_antenna_a_deaf_one_and_a_seldom_tag_are_found(still: ReadTable) -> None:
    weak = np.where(still.antenna == 2, still.rssi_dbm - 30, still.rssi_dbm)
    deaf = ReadTable(still.time_s, still.epc, still.antenna, still.channel, weak, still.phase_rad)
    tag = still.epc[0]
    seldom = deaf.take((deaf.epc != tag) | (np.arange(len(deaf)) % 300 == 0))
    findings = " ".join(calibrate_still(seldom, (1, 2, 3)).findings)
    assert "antenna 3 heard nothing" in findings
    assert "antenna 2 hears tags" in findings
    assert f"first: {tag}" in findings


def test_a_store_that_was_not_quiet_is_noticed(still: ReadTable) -> None:
    noise = np.random.default_rng(1).uniform(0, 6.28, len(still))
    restless = ReadTable(still.time_s, still.epc, still.antenna, still.channel, still.rssi_dbm, noise)
    assert any("the store was not quiet" in finding for finding in calibrate_still(restless).findings)


def test_a_calibration_survives_its_file_and_detectors_take_it(tmp_path: Path, still: ReadTable) -> None:
    found = calibrate_still(still)
    path = tmp_path / "antennas.yaml"
    save_calibration(path, found)
    assert load_calibration(path) == found
    for method in ("raw", "production"):
        detector = make_detector(method, load_calibration(path))
        assert detector.feed(still) + detector.finish() == []


def test_the_calibration_spares_the_detector_its_learning_time(still: ReadTable) -> None:
    from rfid_reader.flips.features.reference import ChannelReference

    reference = ChannelReference(calibrate_still(still))
    first = still.take(slice(0, 5))
    rows = reference.antenna_rows(first.antenna)
    epcs = first.epc.tolist()
    _, phase, count = reference.residuals(
        epcs, np.arange(5), rows, first.channel, first.rssi_dbm, first.phase_rad
    )
    assert np.all(count > 0)
    assert np.abs(phase).max() < 0.3


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_too_short_a_recording_is_refused(still: ReadTable, seconds: float) -> None:
    with pytest.raises(AntennaCalibrationError, match="would be right"):
        calibrate_still(still.take(still.time_s < seconds))


@pytest.mark.parametrize("text", ["", "cells: 3", "\x00", "format: [", "- 1"])
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "antennas.yaml"
    path.write_text(text)
    with pytest.raises(AntennaCalibrationError, match="not an antenna calibration"):
        load_calibration(path)


def test_a_missing_calibration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AntennaCalibrationError, match="cannot be read"):
        load_calibration(tmp_path / "none.yaml")


def test_reads_without_rssi_are_left_out_and_none_with_it_is_refused() -> None:
    time_s = np.arange(0.0, 30.0, 0.1)
    rssi_dbm = np.where(np.arange(len(time_s)) % 3, -60.0, np.nan)
    columns = ["aa"] * len(time_s), np.ones(len(time_s)), np.ones(len(time_s))
    found = calibrate_still(ReadTable.from_columns(time_s, *columns, rssi_dbm, np.ones(len(time_s))))
    assert found.cells["aa"][0].rssi_dbm == found.antennas[0].rssi_dbm == -60.0
    with pytest.raises(AntennaCalibrationError, match="no read has an RSSI"):
        calibrate_still(ReadTable.from_columns(time_s, *columns, rssi_dbm * np.nan, np.ones(len(time_s))))


def test_of_one_tag_nothing_is_said_of_the_antenna_that_hears_it_less() -> None:
    time_s = np.arange(0.0, 30.0, 0.25)
    ones = np.ones(len(time_s))
    antenna = np.arange(len(time_s)) % 2 + 1
    reads = ReadTable.from_columns(time_s, ["aa"] * len(time_s), antenna, ones, -50.0 - 5 * antenna, ones)
    assert not any("antenna 2" in finding for finding in calibrate_still(reads).findings)
