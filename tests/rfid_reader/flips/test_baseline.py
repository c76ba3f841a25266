"""What flip detectors learn about tags, and how it follows a tag's life: seen, moved, gone, back."""

from __future__ import annotations

import numpy as np
import pytest

from rfid_reader.antenna_calibration import calibrate_still
from rfid_reader.flips import METHODS, make_detector, tag_rows, ticks
from rfid_reader.flips.features.channels import ChannelOffsets, split_calibration
from rfid_reader.flips.features.reference import ChannelReference
from rfid_reader.flips.features.residuals import PAIR_ABSENT_S, ResidualTracker
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.flips.tag_rows import ABSENT_S
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.world import World
from tests.rfid_reader.small_stores import small_store

OFFSETS = np.random.default_rng(4).uniform(0, 2 * np.pi, 51)


def still(
    epcs: list[str],
    begin_s: float,
    end_s: float,
    antenna: int = 1,
    rest_rad: float = 1.0,
    rssi_dbm: float = -50.0,
) -> ReadTable:
    """Five reads a second of each tag, hopping over fifty channels, at rest."""
    rng = np.random.default_rng(int(begin_s))
    time_s = np.arange(begin_s, end_s, 0.2 / len(epcs))
    tag = np.arange(len(time_s)) % len(epcs)
    channel = np.floor(time_s / 0.2).astype(int) % 50 + 1
    phase = rest_rad + 0.7 * tag + OFFSETS[channel] + rng.normal(0, 0.02, len(time_s))
    return ReadTable.from_columns(
        time_s,
        np.array(epcs)[tag],
        np.full(len(time_s), antenna),
        channel,
        np.full(len(time_s), rssi_dbm),
        phase % (2 * np.pi),
    )


def residual_energy(tracker: ResidualTracker, reads: ReadTable, epcs: list[str]) -> float:
    """Mean phase energy of reads, taken half a second at a time."""
    rows = {epc: row for row, epc in enumerate(epcs)}
    energies = []
    for start_s in np.arange(reads.time_s[0], reads.time_s[-1], 0.5):
        piece = reads.take((reads.time_s >= start_s) & (reads.time_s < start_s + 0.5))
        tags = np.array([rows[str(epc)] for epc in piece.epc], np.int64)
        energies.append(tracker.take(piece, tags, epcs).phase_energy)
    return float(np.concatenate(energies).mean())


def test_a_tag_new_to_a_channel_is_referenced_by_what_others_told_about_the_channel() -> None:
    epcs = ["aa", "bb", "cc", "dd"]
    tracker = ResidualTracker()
    residual_energy(tracker, still(epcs[:3], 0.0, 12.0), epcs)
    newcomer = still(["dd"], 12.0, 20.0)
    assert residual_energy(tracker, newcomer, epcs) < 0.2


def test_channel_offsets_are_found_up_to_a_common_turn() -> None:
    channels = ChannelOffsets(2)
    antenna, channel = np.zeros(50, np.int64), np.arange(1, 51)
    channels.meet(antenna, channel, OFFSETS[1:])
    for _ in range(50):
        channels.learn(antenna, channel, OFFSETS[1:] - channels.angle(antenna, channel))
    apart = np.exp(1j * (channels.angle(antenna, channel) - OFFSETS[1:]))
    assert abs(apart.mean()) == pytest.approx(1.0, abs=1e-6)


def test_a_calibration_is_split_into_channels_and_small_deviations() -> None:
    offsets, deviations = split_calibration(calibrate_still(still(["aa", "bb"], 0.0, 40.0)))
    channels, angle = offsets[1]
    turned = np.exp(1j * (angle - OFFSETS[channels]))
    assert abs(turned.mean()) > 0.999
    cells = [cell for found in deviations.cells.values() for cell in found]
    assert max(abs(cell.phase_rad) for cell in cells) < 0.1
    assert max(abs(cell.rssi_dbm) for cell in cells) < 0.5


def test_a_garment_put_back_a_little_off_is_at_rest_again() -> None:
    epcs = ["aa", "bb", "cc"]
    tracker = ResidualTracker()
    residual_energy(tracker, still(epcs, 0.0, 30.0), epcs)
    residual_energy(tracker, still(epcs, 30.0, 38.0, rest_rad=1.6), epcs)
    assert residual_energy(tracker, still(epcs, 38.0, 40.0, rest_rad=1.6), epcs) < 0.3


def test_the_rack_of_a_tag_is_the_one_it_was_moved_to() -> None:
    epcs = ["aa"]
    tracker = ResidualTracker()
    residual_energy(tracker, still(epcs, 0.0, 300.0), epcs)
    assert tracker.groups(1).tolist() == [0]
    residual_energy(tracker, still(epcs, 300.0, 330.0, antenna=2, rssi_dbm=-48.0), epcs)
    assert tracker.groups(1).tolist() == [1]
    residual_energy(tracker, still(epcs, 330.0, 600.0, antenna=2, rssi_dbm=-60.0), epcs)
    assert tracker.groups(1).tolist() == [1]


def test_a_tag_that_comes_back_elsewhere_begins_anew_and_disturbs_nothing() -> None:
    epcs = ["aa", "bb"]
    tracker = ResidualTracker()
    residual_energy(tracker, still(epcs, 0.0, 30.0), epcs)
    back_s = 31.0 + PAIR_ABSENT_S
    residual_energy(tracker, still(["bb"], 30.0, back_s), epcs)
    assert residual_energy(tracker, still(["aa"], back_s, back_s + 8, rest_rad=3.0), epcs) < 0.3


def test_moving_a_tag_to_another_rack_makes_no_flip_there_later() -> None:
    detector = make_detector("production")
    epcs = [f"{number:04x}" for number in range(6)]
    detector.feed(ReadTable.concatenate([still(epcs, 0.0, 40.0)]))
    flips = detector.feed(
        ReadTable.concatenate(
            [still(epcs[1:], 45.0, 120.0), still(epcs[:1], 45.0, 120.0, antenna=2, rest_rad=2.0)]
        ).in_time_order()
    )
    assert [flip for flip in flips + detector.finish() if flip.start_s > 50.0] == []


@pytest.mark.parametrize("method", METHODS)
def test_a_full_table_forgets_the_tag_that_was_gone_longest(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_rows, "MAX_TAGS", 3)
    detector = make_detector(method)
    detector.feed(still(["aa"], 0.0, 10.0))
    detector.feed(still(["bb", "cc"], 10.0, 20.0 + ABSENT_S))
    begin_s = 20.0 + ABSENT_S
    detector.feed(still(["bb", "cc", "dd"], begin_s, begin_s + 30.0))
    detector.advance(begin_s + 32.0)
    assert detector.reads_refused == 0
    assert detector.insufficient() == []
    assert isinstance(detector, ticks.TickingDetector)
    assert sorted(detector.tag_rows.epcs) == ["bb", "cc", "dd"]
    detector.feed(still(["aa"], begin_s + 32.0, begin_s + 40.0))
    detector.advance(begin_s + 42.0)
    assert detector.reads_refused > 0


def test_a_row_given_to_another_tag_knows_nothing_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_rows, "MAX_TAGS", 2)
    detector = ProductionDetector()
    detector.feed(still(["aa", "bb"], 0.0, 20.0))
    detector.feed(still(["bb"], 20.0, 22.0 + ABSENT_S))
    flips = detector.feed(still(["bb", "cc"], 22.0 + ABSENT_S, 30.0 + ABSENT_S, rest_rad=4.0))
    detector.advance(32.0 + ABSENT_S)
    row = detector.tag_rows.row("cc")
    assert row == 0
    assert 0 < detector.tracker.heard[row, 0] < 60
    assert "cc" not in {flip.epc for flip in flips + detector.finish()}


@pytest.mark.parametrize("method", METHODS)
def test_a_sold_tag_was_read_often_enough_while_it_was_there(method: str) -> None:
    detector = make_detector(method)
    detector.feed(still(["aa"], 0.0, 30.0))
    detector.feed(still(["bb"], 30.0, 40.0 + ABSENT_S))
    assert detector.insufficient() == []


def test_reads_of_cells_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfid_reader.flips.features.reference.MAX_CELLS", 16 * 1 * 4)
    reference = ChannelReference()
    antenna = reference.antenna_rows(np.ones(3, np.int16))
    channel = np.array([1, 3, 9], np.int16)
    values = np.zeros(3)
    reference.residuals(["aa"], np.zeros(3, np.int64), antenna, channel[:2].repeat(2)[:3], values, values)
    assert reference.reads_beyond == 0
    reference.residuals(["aa"], np.zeros(3, np.int64), antenna, channel, values, values)
    assert reference.reads_beyond == 1


def test_a_captured_hour_cut_anyhow_gives_the_same_bytes() -> None:
    world = World(small_store(people={"random": 2}, flips={"auto": {"chance": 1.0}}))
    reads = world.reads(40.0, world.setup())
    found = []
    for size in (1, 37, 5000):
        detector = make_detector("production")
        flips = [
            flip
            for start in range(0, len(reads), size * 100)
            for flip in detector.feed(reads.take(slice(start, start + size * 100)))
        ]
        found.append(repr(flips + detector.finish()).encode())
    assert found[0] == found[1] == found[2]
