"""The simulated radio: physics, timing, people, handling."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rfid_reader.errors import ScenarioError
from rfid_reader.simulator.motion import Motions, make_flip
from rfid_reader.simulator.people.crowd import Crowd, CrowdPath, load_tracks
from rfid_reader.simulator.radio.channel import LIGHT_M_PER_S, Radio, beam, link, measure, one_way_gain
from rfid_reader.simulator.radio.hopping import PLANS
from rfid_reader.simulator.radio.inventory import MODES, inventory_round
from rfid_reader.simulator.scenarios.random_stores import generate_store
from rfid_reader.simulator.world import World
from tests.rfid_reader.small_stores import small_store

NOBODY = np.zeros((0, 1, 2))


def straight_gain(distance_m: float, frequency_hz: float = 915e6) -> complex:
    """Free space, straight below the antenna."""
    return complex(
        one_way_gain(
            Radio(),
            np.array([0, 0, 10.0]),
            np.array([[0, 0, 10.0 - distance_m]]),
            NOBODY,
            np.zeros((1, 0), np.complex128),
            np.zeros((1, 0)),
            np.array([frequency_hz]),
        )[0]
    )


def test_free_space_follows_friis() -> None:
    assert abs(straight_gain(2.0)) == pytest.approx(LIGHT_M_PER_S / 915e6 / (4 * math.pi * 2.0))


def test_phase_turns_by_four_pi_a_wavelength_both_ways() -> None:
    near, far = straight_gain(2.0), straight_gain(2.01)
    turned = np.angle((far / near) ** 2)
    assert turned == pytest.approx(-4 * math.pi * 0.01 * 915e6 / LIGHT_M_PER_S, abs=1e-6)


def test_backscatter_falls_by_twelve_decibels_when_the_distance_doubles() -> None:
    gains = np.array([straight_gain(2.0), straight_gain(4.0)])
    levels = link(Radio(), 30.0, gains, np.zeros(2), np.zeros(2)).at_reader_dbm
    assert levels[0] - levels[1] == pytest.approx(12.04, abs=0.01)


def test_a_body_in_the_path_blocks_and_one_beside_it_moves_the_phase() -> None:
    def gain(person_xy: tuple[float, float]) -> complex:
        return complex(
            one_way_gain(
                replace(Radio(), body_gain_m=0.3),
                np.array([0, 0, 1.5]),
                np.array([[4.0, 0, 1.2]]),
                np.array([[person_xy]]),
                np.zeros((1, 0), np.complex128),
                np.zeros((1, 0)),
                np.array([915e6]),
            )[0]
        )

    free, blocked, beside = gain((50, 50)), gain((2, 0)), gain((4, 0.6))
    assert 20 * math.log10(abs(blocked / free)) < -4
    assert abs(np.angle(beside / free)) > 0.02


def test_an_antenna_hears_best_where_it_looks() -> None:
    down = beam(Radio(), np.array([0, 0, 2.0]), np.array([[0, 0, 1.0], [2.0, 0, 1.0]]))
    way = np.array([2.0, 0, -1.0])
    tilted = beam(
        Radio(), np.array([0, 0, 2.0]), np.array([[0, 0, 1.0], [2.0, 0, 1.0]]), way / np.linalg.norm(way)
    )
    assert down[0] == 1.0 and down[1] < 0.5
    assert tilted[1] == pytest.approx(1.0) and tilted[0] < 0.5


def test_a_hand_beside_a_tag_moves_its_phase_and_one_far_off_does_not() -> None:
    def gain(limb_xyz: tuple[float, float, float]) -> complex:
        return complex(
            one_way_gain(
                Radio(),
                np.array([0, 0, 2.4]),
                np.array([[0, 0, 1.2]]),
                NOBODY,
                np.zeros((1, 0), np.complex128),
                np.zeros((1, 0)),
                np.array([915e6]),
                np.array([[limb_xyz]]),
            )[0]
        )

    nobody, near, far = gain((math.nan,) * 3), gain((0.1, 0.1, 1.2)), gain((5, 5, 1.2))
    assert nobody == pytest.approx(straight_gain(1.2))
    assert abs(near / nobody - 1) > 0.05
    assert abs(far / nobody - 1) < 0.02


def test_weak_reads_are_half_a_turn_off_now_and_then_and_strong_ones_are_not() -> None:
    rng = np.random.default_rng(1)

    def off(level_dbm: float) -> float:
        _, phase = measure(Radio(), np.full(4000, level_dbm), np.full(4000, -1.0), rng)
        return float((np.abs(phase - 1.0 - math.pi) < 0.5 * math.pi).mean())

    assert off(-77.0) == pytest.approx(0.13, abs=0.03)
    assert off(-67.5) < 0.02
    assert off(-55.0) == 0.0


def test_measured_rssi_and_phase_are_quantised_and_nearly_right() -> None:
    rng = np.random.default_rng(1)
    rssi, phase = measure(Radio(), np.full(4000, -50.2), np.full(4000, -1.0), rng)
    assert np.all(rssi * 2 == np.round(rssi * 2))
    assert rssi.mean() == pytest.approx(-50.2, abs=0.1)
    assert phase.mean() == pytest.approx(1.0, abs=0.01)
    assert 0.005 < phase.std() < 0.04
    assert 0.2 < rssi.std() < 0.45


def test_read_rates_match_a_real_reader_in_its_dense_mode() -> None:
    """One tag about 70 reads a second, sixteen tags about 8.6 each."""
    rng = np.random.default_rng(1)
    for count, rate_hz in ((1, 70.0), (16, 8.6)):
        duration_s = sum(inventory_round(np.arange(count), MODES[1000], rng).duration_s for _ in range(300))
        assert 300 / duration_s == pytest.approx(rate_hz, rel=0.12)


def test_each_tag_is_read_once_a_round_at_a_time_of_its_own() -> None:
    found = inventory_round(np.arange(20), MODES[0], np.random.default_rng(2))
    assert sorted(found.tags.tolist()) == list(range(20))
    assert np.all(np.diff(found.after_s) > 0) and found.after_s[-1] < found.duration_s


def test_the_channel_index_counts_through_the_hop_table() -> None:
    plan = PLANS["fcc"]
    times = np.arange(100) * plan.dwell_s + 0.01
    assert plan.channel_at(times).tolist() == [i % 50 + 1 for i in range(100)]
    assert len(set(plan.frequencies_hz)) == 50


def test_people_loop_with_their_period_and_are_away_outside_their_track() -> None:
    track = CrowdPath("anna", np.array([1.0, 3.0]), np.array([[0.0, 0.0], [2.0, 0.0]]))
    crowd = Crowd([track], period_s=10.0)
    here = crowd.positions(np.array([2.0, 12.0, 5.0]))[0]
    assert here[0] == pytest.approx([1.0, 0.0]) and here[1] == pytest.approx([1.0, 0.0])
    assert np.isnan(here[2]).all()


def test_a_long_gap_in_a_track_is_absence_not_a_straight_line() -> None:
    track = CrowdPath(
        "bert", np.array([0.0, 1.0, 9.0, 10.0]), np.array([[0, 0], [1, 0], [9, 0], [10, 0]], float)
    )
    assert np.isnan(Crowd([track]).positions(np.array([5.0]))).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [("a,b\n", "time_s,person,x_m,y_m would be right"), ("time_s,person,x_m,y_m\n0,1,two,3\n", "line 2")],
)
def test_a_bad_track_file_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=says):
        load_tracks(path)


def test_a_flip_takes_the_tag_out_and_puts_it_back_nearly_where_it_was() -> None:
    flip = make_flip(0, 10.0, 13.0, np.array([0.0, 1.0, 0.0]), np.random.default_rng(5))
    times = np.array([9.0, 11.5, 40.0])
    away = np.linalg.norm(Motions([flip]).poses(np.zeros(3, np.int64), times).offset_m, axis=1)
    assert away[0] == 0
    assert away[1] > 0.06
    assert away[2] < 0.05


def test_the_same_seed_gives_the_same_reads_and_another_seed_others() -> None:
    def reads(seed: int) -> list[float]:
        world = World(small_store(people={"random": 1}, flips={"auto": {}}), seed)
        return world.reads(10.0, world.setup()).phase_rad.tolist()

    assert reads(3) == reads(3)
    assert reads(3) != reads(4)


def test_reads_do_not_depend_on_how_time_is_cut() -> None:
    store = small_store(people={"random": 1}, flips={"auto": {"chance": 1.0}})
    whole, cut = World(store), World(store)
    at_once = whole.reads(12.0, whole.setup()).phase_rad
    steps = [cut.reads(until_s, cut.setup()).phase_rad for until_s in (0.5, 3.0, 7.7, 12.0)]
    assert np.array_equal(at_once, np.concatenate(steps))


def test_flips_happen_only_within_reach_of_the_person_who_does_them() -> None:
    world = World(small_store(people={"random": 3}, flips={"auto": {"reach_m": 1.0, "chance": 1.0}}))
    flips = world.finished_flips(60.0)
    assert len(flips) >= 5
    for flip in flips:
        rack = next(rack for rack in world.racks if rack.name == flip.rack)
        person = world.crowd.people.index(str(flip.person))
        at = world.crowd.positions(np.array([flip.start_s, flip.end_s]))[person]
        assert np.abs(at - rack.at).max() < 1.0 + 0.7
        assert 0.8 <= flip.end_s - flip.start_s <= 3.0 + 1e-6


def test_a_looped_track_flips_anew_in_every_period() -> None:
    points = [[t, 0.0 if 4 <= t <= 9 else 8.0, 1.0] for t in np.arange(0, 20, 0.5).tolist()]
    people = {"paths": [{"person": "anna", "points": points}], "period_s": 20.0}
    world = World(small_store(people=people, duration_s=None, flips={"auto": {"chance": 1.0}}))
    flips = world.finished_flips(200.0)
    assert len({int(flip.start_s // 20) for flip in flips}) == 10
    assert {flip.person for flip in flips} == {"anna"}
    assert len({flip.epc for flip in flips}) > 1


def test_a_given_flip_moves_the_phase_of_its_tag_more_than_of_the_others() -> None:
    given = {"rack": "shirts", "tag": 2, "start_s": 20.0, "end_s": 23.0, "person": None}
    world = World(small_store(flips={"given": [given]}))
    reads = world.reads(30.0, world.setup())
    assert [flip.epc for flip in world.finished_flips(30.0)] == [world.epcs[1]]
    spread = {}
    for epc in world.epcs[:4]:
        chosen = (reads.epc == epc) & (reads.antenna == 1) & (reads.time_s > 20.3) & (reads.time_s < 22.7)
        spread[epc] = 1 - abs(np.exp(1j * reads.phase_rad[chosen]).mean())
    assert max(spread, key=lambda epc: spread[epc]) == world.epcs[1]


def test_still_tags_are_as_steady_as_real_ones() -> None:
    """Real R420: phase sd in a dwell 0.007 to 0.04 rad, RSSI sd 0.2 to 0.45 dB a channel."""
    world = World(small_store(hop_plan="fcc", sway_m=0.0))
    reads = world.reads(40.0, world.setup())
    phase_sd, rssi_sd = [], []
    for epc in world.epcs:
        for channel in range(1, 51):
            chosen = (reads.epc == epc) & (reads.channel == channel) & (reads.rssi_dbm > -65)
            if chosen.sum() >= 5:
                length = abs(np.exp(1j * reads.phase_rad[chosen]).mean())
                phase_sd.append(math.sqrt(-2 * math.log(length)))
                rssi_sd.append(reads.rssi_dbm[chosen].std())
    assert 0.007 < np.median(phase_sd) < 0.04
    assert 0.15 < np.median(rssi_sd) < 0.45


def test_generated_stores_differ_and_repeat_by_seed() -> None:
    assert generate_store(5) == generate_store(5)
    assert generate_store(5).scenario.racks != generate_store(6).scenario.racks


def test_a_hand_at_a_garment_is_felt_by_the_garment_beside_it() -> None:
    given = {"rack": "shirts", "tag": 2, "start_s": 5.0, "end_s": 9.0, "person": None}
    flipped, quiet = World(small_store(flips={"given": [given]})), World(small_store())
    spread = []
    for world in (flipped, quiet):
        reads = world.reads(9.0, world.setup())
        chosen = (reads.epc == world.epcs[2]) & (reads.antenna == 1) & (reads.time_s > 6) & (reads.time_s < 8)
        spread.append(1 - abs(np.exp(1j * reads.phase_rad[chosen]).mean()))
    assert spread[0] > 2 * spread[1]


@pytest.mark.parametrize(("level_dbm", "noise_rad"), [(-45.0, 0.0143), (-62.5, 0.08), (-72.5, 0.253)])
def test_noise_grows_tenfold_with_twenty_decibels_less(level_dbm: float, noise_rad: float) -> None:
    rng = np.random.default_rng(7)
    rssi, phase = measure(Radio(pi_jump_share=0.0), np.full(8000, level_dbm), np.full(8000, -1.0), rng)
    turned = np.angle(np.exp(1j * (phase - 1.0)))
    assert turned.std() == pytest.approx(noise_rad, rel=0.05)
    rounding_db = 0.25 + 0.15
    assert abs(rssi.std() - 0.55 * 8.7 * noise_rad) < rounding_db
