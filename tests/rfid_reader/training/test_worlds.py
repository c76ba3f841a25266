"""Families of stores: each with its own physics, each hanging still where nobody is."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import rfid_reader.training.worlds as package
from rfid_reader.half_turns import counted, share_of, steps_within_cells
from rfid_reader.training.disturbances import disturbed
from rfid_reader.training.worlds import (
    TESTED_ONLY,
    WORLDS,
    WorldRecording,
    simulate,
    splices,
    unavailable,
)
from rfid_reader.training.worlds.recording import CARRIED, REHUNG, TURNED

FOLDER = Path(str(package.__file__)).parent
SHARED = {"rfid_reader.reads", "rfid_reader.training.worlds.recording"}
ONLY_THE_SHOPS = "rfid_reader.simulator"


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith(("rfid_reader", "bench", "runtime", "calibration"))}


@pytest.mark.parametrize("world", [*WORLDS, *TESTED_ONLY])
def test_a_world_shares_no_code_with_another(world: str) -> None:
    ours = imports(FOLDER / f"{world}.py") - SHARED
    allowed = ONLY_THE_SHOPS if world == "shop" else "nothing"
    assert [name for name in ours if not name.startswith(allowed)] == []


@pytest.fixture(scope="module", params=[*WORLDS, *TESTED_ONLY])
def store(request: pytest.FixtureRequest) -> WorldRecording:
    if why := unavailable(request.param):
        pytest.skip(why)
    return simulate(request.param, 11, 40.0)


def test_a_store_is_what_its_seed_says(store: WorldRecording) -> None:
    again = simulate(store.name.split("-")[0], 11, 40.0)
    assert again.reads.phase_rad.tolist() == store.reads.phase_rad.tolist()
    assert again.handlings == store.handlings


def test_reads_come_in_order_with_sound_values(store: WorldRecording) -> None:
    for reads in (store.still, store.reads):
        assert len(reads) > 200
        assert (np.diff(reads.time_s) >= 0).all()
        assert ((reads.phase_rad >= 0) & (reads.phase_rad < 2 * np.pi + 1e-9)).all()
        assert ((reads.rssi_dbm > -95) & (reads.rssi_dbm < 0)).all()
        assert reads.channel.min() >= 1 and reads.antenna.min() >= 1
    assert all(one.end_s > one.start_s and one.kind in (TURNED, REHUNG, CARRIED) for one in store.handlings)
    assert set(np.unique(store.reads.epc)) <= {*store.still.epc, *store.reads.epc}


def test_tags_that_nobody_touches_keep_their_phase(store: WorldRecording) -> None:
    turn = np.abs((steps_within_cells(store.still) + np.pi) % (2 * np.pi) - np.pi)
    assert np.median(turn) < 0.45
    assert (share_of(counted(turn)) or 0.0) < 0.05


def test_tags_in_hands_turn_more_than_tags_at_rest(store: WorldRecording) -> None:
    if not store.handlings:
        pytest.skip("nothing was handled in this store")
    reads, turns = store.reads, []
    for one in store.handlings:
        inside = (reads.epc == one.epc) & (reads.time_s >= one.start_s) & (reads.time_s <= one.end_s)
        turns.append(np.abs(np.angle(np.exp(1j * steps_within_cells(reads.take(inside), 1.0)))))
    still = np.abs(np.angle(np.exp(1j * steps_within_cells(store.still, 1.0))))
    assert np.concatenate(turns).mean() > 2 * still.mean()


@pytest.mark.parametrize("seed", range(6))
def test_another_reader_changes_reads_and_truth_together(seed: int) -> None:
    recording = simulate("waves", 11, 40.0)
    other = disturbed(recording, seed)
    pace = other.duration_s / recording.duration_s
    assert 0.7 < pace < 1.4 and len(other.reads) <= len(recording.reads)
    assert [one.start_s for one in other.handlings] == pytest.approx(
        [one.start_s * pace for one in recording.handlings]
    )
    assert abs(float(other.reads.time_s.max()) / float(recording.reads.time_s.max()) - pace) < 0.2
    assert ((other.reads.phase_rad >= 0) & (other.reads.phase_rad < 2 * np.pi)).all()


def test_a_recording_that_is_played_for_longer_than_it_lasts_has_no_seams() -> None:
    time_s = np.arange(0.0, 10.0, 0.02)
    piece = np.column_stack([time_s, np.ones(500), np.full(500, -50.0), 0.1 * time_s])
    played = splices._looped(piece, 60.0, 1e9, np.random.default_rng(2))
    assert np.all(np.diff(played[:, 0]) > 0)
    assert played[-1, 0] == pytest.approx(60.0, abs=0.05)
    assert np.abs(np.diff(played[:, 3])).max() < 0.01


def test_of_a_still_recording_only_what_follows_the_tags_being_put_there_is_used() -> None:
    time_s = np.arange(0.0, 20.0, 0.05)
    level_dbm = np.where(time_s < 4.0, -64.0, -42.0)
    table = np.column_stack([time_s, np.ones(400), np.ones(400), level_dbm, np.ones(400)])
    kept, phase = splices._settled(table, np.arange(400.0))
    assert (kept[0, 0], len(kept), phase[0]) == (pytest.approx(4.0), 320, 80.0)
    whole, _ = splices._settled(table[100:], np.arange(300.0))
    assert len(whole) == 300
