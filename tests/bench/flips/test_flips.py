"""The yardstick of the flip benchmark, and real reads through the importers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.flips.clips import Clips, _pushed_moments, area_under_roc, clip_rows, cross_fitted_accuracy
from bench.flips.command import flips
from bench.flips.judging import run
from bench.flips.real_reads import load_gesture, load_locate, load_rda, spread_in_cells
from rfid_reader.flips import DetectedFlip
from rfid_reader.flips.features.activity import FEATURES
from rfid_reader.flips.network import load_network
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.recordings import Score, StoreRecording, flip_mask, match, thinned


def recording(*true: tuple[str, float, float], reads: int = 0) -> StoreRecording:
    rows = np.arange(reads)
    table = ReadTable.from_columns(
        rows * 0.01, ["aa"] * reads, rows * 0 + 1, rows * 0 + 1, rows * 0.0, rows * 0.0
    )
    return StoreRecording(
        "store",
        3600.0,
        2,
        table,
        [TrueFlip(epc, "rack", None, start_s, end_s) for epc, start_s, end_s in true],
    )


@pytest.mark.parametrize(
    ("found", "score"),
    [
        ([("aa", 101.0, 102.0)], Score(1, 0, 0, 2.0)),
        ([("aa", 103.0, 105.9)], Score(1, 0, 0, 2.0)),
        ([("aa", 104.0, 106.0)], Score(0, 1, 1, 2.0)),
        ([("bb", 101.0, 102.0)], Score(0, 1, 1, 2.0)),
        ([("aa", 100.0, 101.0), ("aa", 102.0, 103.0)], Score(1, 1, 0, 2.0)),
        ([], Score(0, 0, 1, 2.0)),
    ],
)
def test_a_found_flip_is_right_once_near_in_time_and_for_its_own_tag(
    found: list[tuple[str, float, float]], score: Score
) -> None:
    guesses = [DetectedFlip(epc, start_s, end_s, 0.9) for epc, start_s, end_s in found]
    assert match(guesses, recording(("aa", 100.0, 103.0))) == score


def test_the_warm_up_counts_neither_way() -> None:
    early = recording(("aa", 5.0, 8.0), ("aa", 100.0, 103.0))
    guesses = [
        DetectedFlip("aa", 5.0, 8.0, 1.0),
        DetectedFlip("aa", 9.0, 9.4, 1.0),
        DetectedFlip("aa", 100.0, 103.0, 1.0),
    ]
    score = match(guesses, early, warm_up_s=15.0)
    assert (score.found, score.false, score.missed) == (1, 0, 0)


def test_thinning_reaches_the_rate_asked_for() -> None:
    store = recording(reads=36_000)
    assert store.rate_hz == pytest.approx(5.0)
    assert thinned(store, 2.0).rate_hz == pytest.approx(2.0, rel=0.03)
    assert thinned(store, 50.0).rate_hz == pytest.approx(5.0)


def test_labels_leave_the_edges_of_a_flip_undecided() -> None:
    store = recording(("aa", 10.0, 12.0))
    mask = flip_mask(store.flips, ["aa", "bb"], np.array([9.0, 9.8, 10.5, 12.2, 13.0]), 0.3)
    assert mask.tolist() == [[0, -1, 1, -1, 0], [0, 0, 0, 0, 0]]


def test_the_shipped_network_fits_the_features() -> None:
    network, rules = load_network("production", FEATURES)
    calm = network(np.zeros((3, FEATURES), np.float32))
    assert calm.shape == (3,) and np.all((calm >= 0) & (calm <= 1))
    assert 0 < rules.stop <= rules.start < 1


def test_production_beats_raw_on_unseen_stores() -> None:
    arguments = ["--stores", "2", "--seconds", "120", "--rates", "8", "--methods", "raw,production", "--json"]
    result = CliRunner().invoke(flips, arguments)
    assert result.exit_code == 0, result.output
    raw, production = json.loads(result.stdout)["events"]
    assert production["f1"] >= raw["f1"] + 0.2


def clips(*scores: float) -> Clips:
    return Clips(np.array(scores), np.arange(len(scores)) % 4)


def test_area_under_roc_is_the_chance_to_rank_right() -> None:
    assert area_under_roc(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1.0
    assert area_under_roc(np.array([0.5]), np.array([0.5])) == 0.5
    assert area_under_roc(np.array([0.3, 0.9]), np.array([0.2, 0.6])) == 0.75


def test_clip_accuracy_is_judged_by_a_mark_from_other_stores() -> None:
    apart = cross_fitted_accuracy(clips(0.9, 0.8, 0.7, 0.95), clips(0.1, 0.2, 0.3, 0.05))
    mixed = cross_fitted_accuracy(clips(0.9, 0.1, 0.9, 0.1), clips(0.1, 0.9, 0.1, 0.9))
    assert apart == 1.0
    assert mixed < 0.5


def test_clips_of_pushed_garments_are_those_that_nobody_took() -> None:
    push = [TrueFlip("bb", "rack", None, at_s, at_s + 0.8) for at_s in (20.0, 21.0, 60.0)]
    near = TrueFlip("aa", "rack", None, 100.5, 101.0)
    store = replace(recording(("aa", 100.0, 103.0), reads=36_000), pushes=(*push, near), duration_s=360.0)
    runs = [(store, run("raw", store.reads))]
    assert _pushed_moments(store) == [("bb", 19.5, 23.5), ("bb", 59.5, 63.5)]
    assert [row.others for row in clip_rows("raw", 5.0, runs)] == [1, 0]


def test_real_still_tags_are_steady_within_a_dwell(shared_data: Path) -> None:
    reads = load_locate(shared_data / "rfid-r420-locate" / "Test12" / "3ft.csv")
    assert len(reads) > 300
    assert set(reads.channel.tolist()) <= set(range(1, 51))
    phase_sd, rssi_sd = spread_in_cells(reads)
    assert 0.003 < np.median(phase_sd) < 0.06
    assert np.median(rssi_sd) < 0.6


def test_a_wearer_who_moves_spreads_the_phases_of_worn_tags(shared_data: Path) -> None:
    folder = shared_data / "rfid-cwnu-rda" / "0000"
    still = [load_rda(path) for path in sorted(folder.glob("*_14.txt"))[:3]]
    moving = [load_rda(path) for path in sorted(folder.glob("*_8.txt"))[:3]]
    assert all(
        len(table) > 100 and math.isclose(table.time_s.max() - table.time_s.min(), 5, abs_tol=3)
        for table in still
    )

    def spread(tables: list[ReadTable]) -> float:
        return float(np.median([value for table in tables for value in spread_in_cells(table, 2.0)[0]]))

    assert spread(moving) > 2 * spread(still)


def test_real_gestures_have_their_reads_in_order_with_whole_numbers(shared_data: Path) -> None:
    reads = load_gesture(next(iter(sorted((shared_data / "rfid-body-gestures").rglob("*.csv")))))
    assert len(reads) > 40 and (np.diff(reads.time_s) >= 0).all()
    assert 0.5 < reads.time_s[-1] - reads.time_s[0] < 30
    assert ((reads.rssi_dbm > -90) & (reads.rssi_dbm < -30)).all()
    assert ((reads.phase_rad >= 0) & (reads.phase_rad < 2 * math.pi)).all()


def test_a_line_cut_short_and_a_blank_epc_are_left_out(tmp_path: Path) -> None:
    row = '2024-07-26T10:59:36.5033260+03:00,A6,,1,"-66,5","865,7",reader-1,"4,20"'
    (tmp_path / "one.csv").write_text(f"// settings\n{row}\n{row[:40]}\n{row.replace('A6', '')}\n")
    reads = load_gesture(tmp_path / "one.csv")
    assert (reads.epc.tolist(), reads.rssi_dbm.tolist(), reads.phase_rad.tolist()) == (["a6"], [-66.5], [4.2])
