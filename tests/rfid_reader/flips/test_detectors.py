"""The flip detectors: pure, streaming, causal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rfid_reader.errors import ReaderError
from rfid_reader.flips import METHODS, DetectedFlip, make_detector
from rfid_reader.flips.events import EventMaker, EventRules
from rfid_reader.flips.features.reference import ChannelReference
from rfid_reader.flips.features.spectrum import js_divergence, spectral_shares
from rfid_reader.reads import ReadTable
from rfid_reader.simulator.world import World
from tests.rfid_reader.small_stores import small_store

FLIPS_AT_S = (30.0, 45.0)


@pytest.fixture(scope="module")
def handled() -> ReadTable:
    """A minute of the small store: nobody near, the second shirt is turned over twice."""
    given_flips = [
        {"rack": "shirts", "tag": 2, "start_s": at_s, "end_s": at_s + 3.0, "person": None}
        for at_s in FLIPS_AT_S
    ]
    world = World(small_store(flips={"given": given_flips}))
    reads = world.reads(60.0, world.setup())
    return reads.take(np.argsort(reads.time_s, kind="stable"))


def run(method: str, reads: ReadTable, pieces: int = 1) -> list[DetectedFlip]:
    detector = make_detector(method)
    cuts = np.linspace(0, len(reads), pieces + 1).astype(int)
    flips = []
    for start, stop in pairwise(cuts.tolist()):
        flips += detector.feed(reads.take(slice(start, stop)))
    return flips + detector.finish()


@pytest.mark.parametrize("method", METHODS)
def test_flips_do_not_depend_on_how_reads_came_in_batches(method: str, handled: ReadTable) -> None:
    whole = run(method, handled)
    assert run(method, handled, 7) == whole
    assert run(method, handled, 40) == whole


def test_a_turned_garment_is_found_in_a_quiet_store_and_nothing_else(handled: ReadTable) -> None:
    flips = run("production", handled)
    shirt = "e28011" + "0" * 17 + "2"
    assert [flip.epc for flip in flips] == [shirt] * 2
    for flip, at_s in zip(flips, FLIPS_AT_S, strict=True):
        assert abs(flip.start_s - at_s) < 1.5 and abs(flip.end_s - at_s - 3.0) < 1.5
        assert flip.antenna == 1
        assert 0.5 <= flip.score <= 1


def test_a_quiet_store_has_no_flips() -> None:
    world = World(small_store())
    assert run("production", world.reads(60.0, world.setup())) == []


def test_a_flip_is_said_within_the_stated_latency(handled: ReadTable) -> None:
    detector = make_detector("production")
    said: list[tuple[float, DetectedFlip]] = []
    for start_s in np.arange(0, 60, 0.1):
        chosen = (handled.time_s >= start_s) & (handled.time_s < start_s + 0.1)
        said += [(start_s + 0.1, flip) for flip in detector.feed(handled.take(chosen))]
    assert said
    for at_s, flip in said:
        assert flip.end_s < at_s <= flip.end_s + detector.latency_s + 0.7
        assert detector.latency_s <= 4.5


def test_a_detector_never_looks_at_reads_that_have_not_come(handled: ReadTable) -> None:
    early = handled.take(handled.time_s < 40.0)
    later = make_detector("production")
    sooner = later.feed(early)
    assert sooner == [flip for flip in run("production", handled) if flip in sooner]
    assert len(sooner) == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_tag_read_too_seldom_is_said_to_be_not_judged(method: str) -> None:
    often, seldom = np.arange(0, 60, 0.2), np.arange(0, 60, 9.0)
    reads = ReadTable.from_columns(
        np.concatenate([often, seldom]),
        ["aa"] * len(often) + ["bb"] * len(seldom),
        np.ones(len(often) + len(seldom)),
        np.ones(len(often) + len(seldom)),
        np.full(len(often) + len(seldom), -50.0),
        np.ones(len(often) + len(seldom)),
    ).in_time_order()
    detector = make_detector(method)
    flips = detector.feed(reads) + detector.finish()
    assert "bb" not in {flip.epc for flip in flips}
    assert detector.insufficient() == ["bb"]


@pytest.mark.parametrize("method", METHODS)
def test_a_tag_that_was_away_for_hours_is_judged_again_when_it_is_back(method: str) -> None:
    detector = make_detector(method)
    for begin_s in (0.0, 3 * 3600.0):
        time_s = begin_s + np.arange(100) / 5
        columns = ["e2801160aa"] * 100, [1] * 100, [3] * 100, [-60.0] * 100, [1.0] * 100
        detector.feed(ReadTable.from_columns(time_s, *columns))
        detector.advance(begin_s + 22.0)
        assert detector.insufficient() == []


@pytest.mark.parametrize("method", METHODS)
def test_reads_without_phase_or_rssi_and_long_pauses_do_no_harm(method: str) -> None:
    nan = float("nan")
    reads = ReadTable.from_columns(
        [1.0, 2.0, 1e6, 1e6 + 1, 5.0],
        ["aa"] * 5,
        [1, 250, 1, 1, 1],
        [0] * 5,
        [nan, -50, nan, -50, -50],
        [nan, nan, 1, 2, nan],
    )
    detector = make_detector(method)
    assert detector.feed(reads) + detector.advance(2e6) + detector.finish() == []


def test_an_unknown_method_is_one_sentence() -> None:
    with pytest.raises(ReaderError, match="'magic' is unknown; js, raw, production would be right"):
        make_detector("magic")


def test_an_uneven_sine_shows_at_its_frequency() -> None:
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 2, 40))
    frequencies = np.arange(1, 9) / 2
    shares = spectral_shares(np.zeros(40, np.int64), 1, times, np.sin(2 * np.pi * 1.5 * times), frequencies)
    assert frequencies[shares[0].argmax()] == 1.5
    assert shares.sum() == pytest.approx(1)


def test_a_constant_series_has_equal_shares() -> None:
    shares = spectral_shares(np.zeros(5, np.int64), 1, np.arange(5.0), np.full(5, 3.0), np.array([0.5, 1.0]))
    assert shares[0].tolist() == [0.5, 0.5]


distributions = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda values: sum(values) > 0.01)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(distributions, distributions)
def test_js_divergence_is_symmetric_bounded_and_zero_for_equals(
    first: list[float], second: list[float]
) -> None:
    p, q = (np.array(values) / sum(values) for values in (first, second))
    assert 0 <= js_divergence(p, q) <= 1
    assert js_divergence(p, q) == pytest.approx(float(js_divergence(q, p)), abs=1e-9)
    assert js_divergence(p, p) == pytest.approx(0, abs=1e-9)


def test_disjoint_distributions_are_one_bit_apart() -> None:
    assert js_divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1)


def test_the_channel_reference_removes_each_channels_own_offset() -> None:
    rng = np.random.default_rng(2)
    offsets = rng.uniform(0, 2 * np.pi, 51)
    reference = ChannelReference()
    channel = np.tile(np.arange(1, 51), 20).astype(np.int16)
    tag, antenna = np.zeros(len(channel), np.int64), np.zeros(len(channel), np.int64)
    reference.antenna_rows(np.ones(1, np.int16))
    phase = offsets[channel] + rng.normal(0, 0.02, len(channel))
    rssi = -50 + channel * 0.1
    for part in np.split(np.arange(len(channel)), 20):
        _, residual, count = reference.residuals(
            ["aa"], tag[part], antenna[part], channel[part], rssi[part], phase[part]
        )
        reference.learn(tag[part], antenna[part], channel[part], rssi[part], phase[part])
    assert np.all(count == 19)
    assert np.abs(residual).max() < 0.1


def scored(rules: EventRules, scores: dict[str, list[float]]) -> list[DetectedFlip]:
    epcs = list(scores)
    maker = EventMaker(rules, epcs, 0.25)
    flips = []
    for tick in range(len(next(iter(scores.values())))):
        values = np.array([scores[epc][tick] for epc in epcs])
        flips += maker.tick(tick * 0.5, np.arange(len(epcs)), values, np.zeros(len(epcs), np.int64))
    return flips + maker.close(1e3)


def test_a_flip_begins_at_the_high_mark_and_lasts_to_the_low_one() -> None:
    flips = scored(EventRules(0.5, 0.2, quiet_s=0.75), {"aa": [0, 0.3, 0.6, 0.9, 0.3, 0.1, 0, 0, 0, 0]})
    assert flips == [DetectedFlip("aa", 0.75, 2.0, 0.9)]


def test_one_strong_tick_is_not_enough_where_two_are_asked_for() -> None:
    assert scored(EventRules(0.5, 0.2, least_ticks=2), {"aa": [0, 0.9, 0.3, 0, 0, 0, 0]}) == []


def test_of_rivals_on_one_rack_only_the_strong_remain() -> None:
    rules = EventRules(0.5, 0.2, rival_share=0.8)
    flips = scored(rules, {"aa": [0, 0.9, 0.9, 0, 0, 0, 0, 0], "bb": [0, 0.6, 0.6, 0, 0, 0, 0, 0]})
    assert [flip.epc for flip in flips] == ["aa"]


def test_a_flip_has_a_longest_length() -> None:
    flips = scored(EventRules(0.5, 0.2, longest_s=3.0), {"aa": [0.9] * 40})
    assert all(flip.end_s - flip.start_s <= 3.5 for flip in flips)
