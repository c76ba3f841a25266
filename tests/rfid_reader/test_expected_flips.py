"""What F1 a store is told to expect from how its tags are read."""

from __future__ import annotations

import numpy as np
import pytest

from rfid_reader import expected_flips
from rfid_reader.antenna_calibration import calibrate_still
from rfid_reader.expected_flips import F1_BY_WORLD, RATES_HZ, band_of, expected_f1, expected_of
from rfid_reader.reads import ReadTable

TABLE = {
    "one": ((0.1, 0.2), (0.3, 0.4), (0.5, 0.6)),
    "two": ((0.3, 0.4), (0.5, 0.6), (0.7, 0.8)),
}


@pytest.mark.parametrize(("rate_hz", "band"), [(0.2, -1), (0.4, 0), (1.9, 0), (2.0, 1), (4.0, 2), (90.0, 2)])
def test_bands_of_reads_a_second(rate_hz: float, band: int) -> None:
    assert band_of(rate_hz) == band


def test_a_store_of_several_kinds_of_tags_gets_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected_flips, "F1_BY_WORLD", TABLE)
    found = expected_f1([(5.0, -50.0), (1.0, -65.0), (0.1, -70.0)])
    assert found is not None
    assert found.lowest == pytest.approx((0.6 + 0.1 + 0.0) / 3)
    assert found.highest == pytest.approx((0.8 + 0.3 + 0.0) / 3)
    assert found.mean == pytest.approx(0.5 * (found.lowest + found.highest))
    assert f"F1 of {found.mean:.2f}" in found.sentence
    assert expected_f1([]) is None


def test_a_calibration_says_what_its_own_tags_are_good_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected_flips, "F1_BY_WORLD", TABLE)
    time_s = np.arange(0.0, 60.0, 0.2)
    count = len(time_s)

    def still(level_dbm: float) -> ReadTable:
        ones = np.ones(count)
        return ReadTable.from_columns(time_s, ["aa"] * count, ones, ones, level_dbm * ones, ones)

    strong, weak = (expected_of(calibrate_still(still(level_dbm))) for level_dbm in (-50.0, -66.0))
    assert strong is not None and weak is not None
    assert (strong.lowest, strong.highest) == (0.6, 0.8)
    assert (weak.lowest, weak.highest) == (0.5, 0.7)


def test_nothing_is_to_be_expected_of_a_reader_without_phase() -> None:
    time_s = np.arange(0.0, 60.0, 0.2)
    ones = np.ones(len(time_s))
    blind = ReadTable.from_columns(time_s, ["aa"] * len(time_s), ones, ones, -50.0 * ones, np.nan * ones)
    found = expected_of(calibrate_still(blind))
    assert found is not None and (found.lowest, found.highest) == (0.0, 0.0)


def test_the_table_has_every_world_and_band_and_more_reads_never_cost_much() -> None:
    assert {"shop", "rays", "waves", "second"} <= set(F1_BY_WORLD)
    for table in F1_BY_WORLD.values():
        assert len(table) == len(RATES_HZ)
        assert all(0 <= value <= 1 for band in table for value in band)
        assert max(table[-1]) >= max(table[0]) - 0.1
