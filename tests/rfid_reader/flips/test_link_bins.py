"""What a link does in half a second: turns with their sign, quiet noise, and what it was before."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from rfid_reader.antenna_calibration import calibrate_still
from rfid_reader.flips.features.link_bins import (
    FIRST_QUIET_TURN,
    LAGS,
    LINK_COLUMNS,
    MOST_QUIET_TURN,
    OWN,
    SIGNED,
    LinkBins,
    expected_variance,
    quiet_noise,
)
from rfid_reader.flips.features.recurrence import HeardLinks, LinkMemory
from rfid_reader.flips.features.residual_table import Residuals
from rfid_reader.flips.features.residuals import MAX_ANTENNAS
from rfid_reader.reads import ReadTable

EPCS = ["aa", "bb"]
HEARD_DB = np.full((2, MAX_ANTENNAS), -60.0)
QUIET = 8
"""The column of half the log of the quiet turn."""
UNREST, LEVEL_UNREST = 9, 16
"""The columns of unrest against the link's own quiet noise, and against that of real readers at its level."""


def reads(phase_rad: list[float], antenna: list[int], residual_rad: float = 0.0) -> Residuals:
    """Reads of the first tag, one of each of these."""
    count = len(phase_rad)
    columns = {
        field.name: np.zeros(count, np.int64 if field.name in ("tag", "antenna") else np.float64)
        for field in fields(Residuals)
        if field.name != "steps"
    }
    columns |= {
        "antenna": np.array(antenna),
        "weight": np.ones(count),
        "link_phase_rad": np.array(phase_rad),
        "slow_phase_rad": np.array(phase_rad),
        "phase_rad": np.full(count, residual_rad),
    }
    return replace(Residuals.none(), **columns)


class Links:
    """Link bins beside the memory that they look into."""

    def __init__(self, bins: LinkBins | None = None) -> None:
        self.bins, self.memory = bins or LinkBins(), LinkMemory()

    def step(self, residuals: Residuals) -> np.ndarray:
        heard = HeardLinks.of(residuals)
        columns = self.bins.step(residuals, heard, self.memory, HEARD_DB, EPCS, {1: 0, 2: 1})
        self.memory.step(residuals, heard, HEARD_DB, len(EPCS))
        return columns


def test_a_turn_has_the_same_sign_on_all_antennas_that_see_it_alike() -> None:
    links = Links()
    links.step(reads([0.2, 1.0], [0, 1]))
    columns = links.step(reads([0.7, 1.5], [0, 1]))
    assert columns.shape == (2, LINK_COLUMNS)
    assert columns[:, SIGNED[1]] == pytest.approx(np.sin(0.5), abs=1e-6)
    back = links.step(reads([0.2, 1.0], [0, 1]))
    assert back[:, SIGNED[1]] == pytest.approx(-np.sin(0.5), abs=1e-6)


def test_a_reader_that_counts_phase_the_other_way_round_changes_the_signed_columns_only() -> None:
    rng = np.random.default_rng(3)
    one, other = Links(), Links()
    for _ in range(8):
        phase = rng.uniform(-3, 3, 4)
        mine = one.step(reads(phase.tolist(), [0, 0, 1, 1]))
        mirrored = other.step(reads((-phase).tolist(), [0, 0, 1, 1]))
    mirrored[:, list(SIGNED)] *= -1
    assert mirrored == pytest.approx(mine, abs=1e-5)


def test_a_link_that_was_not_heard_before_is_compared_with_nothing() -> None:
    links = Links()
    links.step(reads([0.2], [0]))
    columns = links.step(reads([1.4, 0.3], [0, 1]))
    assert columns[:, OWN].tolist() == [1.0, 0.0]
    assert not columns[1, OWN : OWN + 4 * len(LAGS)].any()
    assert not links.step(Residuals.none()).size


def test_quiet_noise_falls_fast_and_rises_slowly() -> None:
    links = Links()
    for _ in range(60):
        links.step(reads([0.0], [0], 0.02))
    calm = float(links.step(reads([0.0], [0], 0.02))[0, QUIET])
    assert calm < 0.5 * np.log(FIRST_QUIET_TURN) - 1
    for _ in range(20):
        links.step(reads([0.0], [0], 2.0))
    disturbed = float(links.step(reads([0.0], [0], 2.0))[0, QUIET])
    for _ in range(20):
        links.step(reads([0.0], [0], 0.02))
    again = float(links.step(reads([0.0], [0], 0.02))[0, QUIET])
    assert calm < again < disturbed < calm + 1.2


def test_a_tag_that_is_carried_for_minutes_is_still_restless_against_its_quiet_noise() -> None:
    links = Links()
    for _ in range(400):
        columns = links.step(reads([0.0], [0], 1.8))
    assert columns[0, QUIET] == pytest.approx(0.5 * np.log(MOST_QUIET_TURN))
    assert columns[0, UNREST] > 1.5
    assert columns[0, LEVEL_UNREST] > 4.0


def test_noise_of_real_readers_grows_tenfold_with_twenty_decibels_less() -> None:
    strong, weak, floor = np.sqrt(expected_variance(np.array([-52.5, -72.5, -20.0])))
    assert (weak / strong, floor) == (pytest.approx(10.0), pytest.approx(0.009))


def test_doubled_phases_are_held_against_twice_the_noise() -> None:
    usual, twice = Links(), Links(LinkBins(doubled=True))
    one, other = usual.step(reads([0.0], [0], 0.1)), twice.step(reads([0.0], [0], 0.2))
    wrong = Links().step(reads([0.0], [0], 0.2))[0, LEVEL_UNREST]
    assert other[0, LEVEL_UNREST] == pytest.approx(one[0, LEVEL_UNREST], abs=0.3)
    assert wrong > other[0, LEVEL_UNREST] + 0.8


def test_quiet_noise_begins_with_that_of_the_stores_own_quiet_hours() -> None:
    rng = np.random.default_rng(5)
    count = 400
    time_s = np.sort(rng.uniform(0, 60, count))
    epc = np.array(EPCS)[rng.integers(0, 2, count)]
    noise = np.where(epc == "aa", 0.02, 0.3) * rng.normal(size=count)
    still = ReadTable.from_columns(
        time_s, epc, np.ones(count), np.ones(count), -55 + 0.1 * noise, (1 + noise) % (2 * np.pi)
    )
    known = quiet_noise(calibrate_still(still))
    assert known["bb"][1][0] == pytest.approx(1 - np.exp(-(0.3**2) / 2), rel=0.25)
    assert known["aa"][1][0] < 0.1 * known["bb"][1][0]
    first = Links(LinkBins(calibrate_still(still))).step(reads([0.0], [0]))
    assert first[0, QUIET] == pytest.approx(0.5 * np.log(known["aa"][1][0]), abs=1e-5)


@pytest.mark.parametrize("rows", [[0], [0, 1]])
def test_a_row_given_to_another_tag_begins_with_the_noise_of_a_new_one(rows: list[int]) -> None:
    links = Links()
    for _ in range(30):
        links.step(reads([0.0], [0], 0.02))
    links.bins.forget(np.array(rows))
    links.memory.forget(np.array(rows))
    assert links.step(reads([0.0], [0])).tolist() == Links().step(reads([0.0], [0])).tolist()
