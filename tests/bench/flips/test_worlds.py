"""How found flips are counted in the worlds."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from bench.flips.real_reads import still_part
from bench.flips.realism import Quantity, misfits, moved_values, still_values
from bench.flips.worlds import (
    cells_of,
    counted,
    held_out_weights,
    judged,
    weights_of,
    with_half_turns,
    world_rows,
)
from rfid_reader.errors import ReaderError
from rfid_reader.expected_flips import RATES_HZ
from rfid_reader.flips import DetectedFlip
from rfid_reader.reads import ReadTable
from rfid_reader.training.worlds import TURNED, WORLDS, Handling, WorldRecording, simulate


def recording(*handlings: tuple[str, float, float], reads: ReadTable | None = None) -> WorldRecording:
    true = tuple(Handling(epc, TURNED, start_s, end_s) for epc, start_s, end_s in handlings)
    table = reads or ReadTable.empty()
    return WorldRecording("waves-1", table, table, true, 2, 3600.0)


@pytest.mark.parametrize(
    ("found", "right", "false", "missed"),
    [
        ([("aa", 101.0, 102.0)], 1, 0, 1),
        ([("aa", 104.4, 106.0)], 1, 0, 1),
        ([("aa", 104.6, 106.0)], 0, 1, 2),
        ([("aa", 100.0, 101.0), ("aa", 102.0, 103.0)], 1, 1, 1),
        ([("bb", 101.0, 102.0)], 0, 1, 2),
        ([("aa", 95.0, 212.0), ("aa", 200.0, 202.0)], 2, 0, 0),
        ([("cc", 101.0, 102.0)], 0, 0, 2),
    ],
)
def test_one_handling_has_one_right_flip(
    found: list[tuple[str, float, float]], right: int, false: int, missed: int
) -> None:
    flips = [DetectedFlip(epc, start_s, end_s, 0.9) for epc, start_s, end_s in found]
    score = counted(flips, recording(("aa", 100.0, 103.0), ("aa", 200.0, 203.0)), {"aa", "bb"})
    assert (score.right, score.false, score.missed, score.tag_hours) == (right, false, missed, 2.0)


def series(phase_rad: np.ndarray, rssi_dbm: np.ndarray) -> ReadTable:
    count = len(phase_rad)
    ones = np.ones(count)
    return ReadTable.from_columns(
        np.arange(count) * 0.1, ["aa"] * count, ones, ones, rssi_dbm, phase_rad % 6.2832
    )


def test_half_turns_come_on_a_share_of_the_reads() -> None:
    table = series(np.full(4000, 1.0), np.full(4000, -50.0))
    turned = with_half_turns(recording(reads=table), 0.3, 1).reads
    assert (np.abs(turned.phase_rad - 1.0) > 3).mean() == pytest.approx(0.3, abs=0.03)


def test_noise_is_measured_as_it_was_made() -> None:
    rng = np.random.default_rng(3)
    table = series(1 + rng.normal(0, 0.05, 3000), -60 + rng.normal(0, 0.4, 3000))
    found = still_values([table])
    assert found["still, phase noise rad, -63 to -58 dBm"] == [pytest.approx(0.05, rel=0.1)]
    assert found["still, RSSI noise dB, -63 to -58 dBm"] == [pytest.approx(0.4, rel=0.1)]


def test_a_turn_ratio_is_one_where_phase_turns_as_level_moves() -> None:
    rng = np.random.default_rng(4)
    table = series(rng.normal(0, 0.1, 3000), rng.normal(0, 0.869, 3000))
    assert moved_values([table])["moved, turn ratio"] == [pytest.approx(1.0, rel=0.1)]


def test_a_real_median_outside_what_a_world_spans_is_a_misfit() -> None:
    real = [Quantity("noise", "real", 0.3, 0.2, 0.4, 9), Quantity("ratio", "real", 3.0, 2.0, 4.0, 9)]
    world = [Quantity("noise", "waves", 0.1, 0.05, 0.2, 9), Quantity("ratio", "waves", 2.0, 1.0, 3.5, 9)]
    assert [(one.world, one.real.name) for one in misfits(real, world)] == [("waves", "noise")]


def test_a_given_world_may_differ_from_real_reads() -> None:
    real = [Quantity("noise", "real", 0.3, 0.2, 0.4, 9)]
    worlds = [Quantity("noise", world, 0.1, 0.05, 0.2, 9) for world in ("waves", "second")]
    assert [(one.world, one.given) for one in misfits(real, worlds)] == [("waves", False), ("second", True)]


def test_of_a_still_recording_what_comes_before_the_tag_lies_still_is_left_out() -> None:
    level_dbm = np.where(np.arange(300) < 40, -64.0, -42.0)
    assert len(still_part(series(np.full(300, 1.0), level_dbm))) == 260
    unrest = -42.0 + 3 * np.sin(np.arange(300))
    assert len(still_part(series(np.full(300, 1.0), unrest))) == 300


def test_weights_that_a_world_has_not_trained_are_judged_beside_those_that_ship() -> None:
    rows, missing = world_rows(1, 25.0, only=["waves"])
    assert [(row.world, row.seen) for row in rows] == [
        ("waves", True),
        ("waves, held out", False),
        ("waves, random half turns", True),
        ("waves, random half turns, held out", False),
    ]
    assert not missing
    assert [row.world for row in world_rows(1, 25.0, weights=weights_of(), only=["waves"])[0]] == [
        "waves",
        "waves, random half turns",
    ]


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_has_weights_that_it_has_not_trained(world: str) -> None:
    used = held_out_weights(world)
    assert used is not None and world not in used.trained_on
    assert used.course.window_weight.dtype == np.float32
    assert np.isfinite(used.course.window_weight).all()


def test_tags_stand_in_the_cell_of_their_own_rate_and_best_level() -> None:
    def reads(epc: str, rate_hz: float, antenna: int, level_dbm: float) -> ReadTable:
        time_s = np.arange(0.0, 3600.0, 1 / rate_hz)
        ones = np.ones(len(time_s))
        return ReadTable.from_columns(
            time_s, [epc] * len(time_s), antenna * ones, ones, level_dbm * ones, ones
        )

    parts = [
        reads("aa", 5.0, 1, -50.0),
        reads("bb", 2.5, 1, -66.0),
        reads("bb", 0.3, 2, -40.0),
        reads("cc", 0.2, 1, -50.0),
    ]
    table = ReadTable.concatenate(parts).in_time_order()
    assert cells_of(recording(reads=table)) == {"aa": (2, 1), "bb": (1, 0)}


def test_weights_of_a_file_say_which_worlds_have_trained_them(tmp_path: Path) -> None:
    shipped = weights_of()
    assert shipped.trained_on == WORLDS
    file = tmp_path / "tuned.npz"
    file.write_bytes(files("rfid_reader.flips").joinpath("production.npz").read_bytes())
    mine = weights_of(file, ["rays"])
    assert mine.rules == shipped.rules and "rays" not in mine.trained_on
    row = judged("waves", True, [simulate("waves", 9105, 30.0)], mine)
    assert row.seen and len(row.f1_by_band) == len(RATES_HZ)
    np.savez(tmp_path / "old.npz", rules=np.array("{}"))
    with pytest.raises(ReaderError, match="old\\.npz has no course_"):
        weights_of(tmp_path / "old.npz")
