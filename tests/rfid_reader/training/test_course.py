"""Courses of generated stores as material for training."""

from __future__ import annotations

import numpy as np
import pytest

from bench.flips.clip_marks import FIRST_SEED as FIRST_MARK_SEED
from bench.flips.command import FIRST_TEST_SEED
from bench.flips.judging import ScoreLog
from bench.flips.worlds import FIRST_SEED as FIRST_WORLD_SEED
from rfid_reader.flips.course import (
    AHEAD_BINS,
    COLUMNS,
    WINDOW_BINS,
    CourseNetwork,
    load_course,
)
from rfid_reader.flips.features.link_bins import LINK_COLUMNS
from rfid_reader.flips.methods.production import ProductionDetector
from rfid_reader.training.scenes import SCENES
from rfid_reader.training.world_courses import WorldStore, courses_of, courses_side_by_side
from rfid_reader.training.worlds import Handling, simulate


def test_courses_of_a_store_hold_every_tag_and_tick() -> None:
    courses = courses_of(simulate("waves", 1003, 40.0))
    assert courses.columns.shape == (len(courses.epcs), len(courses.time_s), COLUMNS)
    assert np.diff(courses.time_s) == pytest.approx(0.5)
    judged = courses.worth_judging()
    assert judged.any() and not judged.all()
    assert (courses.group[judged] >= 0).all()
    assert courses.links.shape == (len(courses.link_tag), LINK_COLUMNS)
    assert (np.diff(courses.link_tick) >= 0).all() and courses.link_tag.max() == len(courses.epcs) - 1


def test_stores_side_by_side_are_what_they_are_alone() -> None:
    stores = [simulate("rays", seed, 30.0) for seed in (1006, 1007)]
    for alone, beside in zip(
        [courses_of(store) for store in stores], courses_side_by_side(stores, [True, True]), strict=True
    ):
        order = [beside.epcs.index(epc) for epc in alone.epcs]
        assert sorted(order) == list(range(len(beside.epcs)))
        ticks = min(len(alone.time_s), len(beside.time_s))
        assert np.abs(alone.columns[:, 20:ticks] - beside.columns[order, 20:ticks]).mean() < 0.02
        assert len(alone.links) == pytest.approx(len(beside.links), rel=0.02)


def still(flips: list[Handling], ticks: int = 40) -> WorldStore:
    columns = np.zeros((2, ticks, COLUMNS), np.float16)
    time_s = np.arange(0.25, 0.5 * ticks, 0.5)
    none = np.zeros(0, np.int16)
    return WorldStore(
        "waves",
        time_s,
        columns,
        np.zeros((2, ticks), np.int8),
        *(none, none, np.zeros((0, LINK_COLUMNS), np.float16)),
        *(["aa", "bb"], tuple(flips), 2, 20.0, np.full(2, 5.0)),
    )


def test_flips_are_numbered_and_their_edges_left_out() -> None:
    numbers = still([Handling("bb", "turned", 2.0, 3.6)]).flip_numbers()
    assert numbers[0].tolist() == [0] * 40
    assert numbers[1, 2:10].tolist() == [-1, 1, 1, 1, 1, 1, -1, 0]


def test_tags_that_are_worn_are_true_as_carried_while_their_wearer_walks() -> None:
    scenes = [SCENES["worn"](seed) for seed in range(6)]
    assert sum(len(scene.handlings) for scene in scenes) > 20
    for scene in scenes:
        assert {one.kind for one in scene.handlings} <= {"carried"}
        assert all(0 <= one.start_s < one.end_s <= scene.duration_s for one in scene.handlings)
        moved, calm = [], []
        for epc in {one.epc for one in scene.handlings}:
            own = scene.reads.take(scene.reads.epc == epc)
            step = np.abs(np.angle(np.exp(1j * np.diff(own.phase_rad))))
            soon = (np.diff(own.time_s) < 0.3) & (np.diff(own.channel) == 0) & (np.diff(own.antenna) == 0)
            middle_s = 0.5 * (own.time_s[1:] + own.time_s[:-1])
            inside = np.zeros(len(step), bool)
            for one in scene.handlings:
                if one.epc == epc:
                    inside |= (middle_s > one.start_s + 0.5) & (middle_s < one.end_s - 0.5)
            moved.append(step[inside & soon])
            calm.append(step[~inside & soon])
        if sum(map(len, moved)) > 100 and sum(map(len, calm)) > 100:
            assert np.concatenate(moved).mean() > 1.5 * np.concatenate(calm).mean()


def test_the_exported_network_is_the_trained_one() -> None:
    torch = pytest.importorskip("torch")
    training = pytest.importorskip("rfid_reader.training.course")
    torch.manual_seed(1)
    model = training.CourseModel(training.Widths(8, 6, 10, 12, 5, 7)).eval()
    rng = np.random.default_rng(5)
    columns = rng.normal(size=(3, WINDOW_BINS, COLUMNS)).astype(np.float32)
    links = rng.normal(size=(4 * WINDOW_BINS, LINK_COLUMNS)).astype(np.float32)
    tag, tick = rng.integers(0, 3, len(links)), rng.integers(0, WINDOW_BINS, len(links))
    group = np.array([0, 0, 1])
    with torch.no_grad():
        logit = model(
            torch.from_numpy(columns),
            torch.from_numpy(tag * WINDOW_BINS + tick),
            torch.from_numpy(links),
            torch.from_numpy(group[:, None]),
            torch.ones(3, 1) > 0,
        )
    network = model.exported()
    bins = [network.bins(columns[:, now], tag[tick == now], links[tick == now]) for now in range(WINDOW_BINS)]
    windows = np.stack(bins, axis=1)
    assert network(windows, group) == pytest.approx(1 / (1 + np.exp(-logit.numpy())), abs=1e-5)


def test_a_flip_is_looked_for_where_ticks_judge_it() -> None:
    pytest.importorskip("torch")
    training = pytest.importorskip("rfid_reader.training.course")
    recording = still([Handling("aa", "turned", 4.0, 6.0)])
    assert training.judged_flips(recording.flip_numbers())[0].tolist() == [0] * AHEAD_BINS + (
        recording.flip_numbers()[0, :-AHEAD_BINS].tolist()
    )


def test_no_store_that_rules_or_marks_are_chosen_on_trains() -> None:
    pytest.importorskip("torch")
    training = pytest.importorskip("rfid_reader.training.course")
    last = training.FIRST_TRAINING_SEED + max(training.STORES.values())
    assert last < min(FIRST_MARK_SEED, training.FIRST_TEST_SEED, FIRST_TEST_SEED)
    assert training.FIRST_TEST_SEED + training.TEST_STORES <= FIRST_WORLD_SEED


def test_the_average_of_weights_follows_them_slowly() -> None:
    torch = pytest.importorskip("torch")
    course_model = pytest.importorskip("rfid_reader.training.course_model")
    model = course_model.CourseModel(course_model.Widths(8, 6, 10, 12, 5, 7))
    before = model.last.bias.detach().clone()
    average = course_model.Average(model)
    with torch.no_grad():
        model.last.bias += 1.0
    average.add(model)
    moved = (average.model.last.bias.detach() - before).numpy()
    assert moved == pytest.approx(1 - course_model.AVERAGED, abs=1e-6)


def test_a_grown_network_says_what_it_said_before() -> None:
    pytest.importorskip("torch")
    course_model = pytest.importorskip("rfid_reader.training.course_model")
    network, rng = load_course("production"), np.random.default_rng(7)
    more = course_model.Widths(4, 3, 5, 6, 2, 4)
    wide = course_model.grown(network, more, 1)
    assert wide.window_weight.shape[0] == WINDOW_BINS * wide.bin_weight.shape[1]
    columns = rng.normal(size=(WINDOW_BINS, 5, COLUMNS)).astype(np.float32)
    tags, group = np.array([0, 0, 1, 4]), np.array([0, 0, 1, 1, 1])
    links = rng.normal(size=(4, LINK_COLUMNS)).astype(np.float32)

    def said(one: CourseNetwork) -> np.ndarray:
        return one(np.stack([one.bins(bin_, tags, links) for bin_ in columns], axis=1), group)

    assert said(wide) == pytest.approx(said(network), abs=1e-5)
    wide.last_weight[-1] = 1.0
    assert np.abs(said(wide) - said(network)).max() > 1e-4


def test_training_scores_ticks_as_the_detector_does() -> None:
    rules = pytest.importorskip("rfid_reader.training.event_rules")
    store = simulate("waves", 1003, 40.0)
    scores = rules.tick_scores(load_course("production"), courses_of(store, calibrated=False))
    detector = ProductionDetector()
    detector.events = log = ScoreLog(detector.events.rules, detector.tag_rows.epcs, detector.events.window_s)
    detector.feed(store.reads)
    detector.finish()
    for (rows, score), (_, said_rows, said) in zip(scores, log.log, strict=False):
        assert rows.tolist() == said_rows.tolist()
        assert score == pytest.approx(said, abs=0.03)


def test_a_model_begins_with_the_weights_of_a_network_and_gives_them_back() -> None:
    pytest.importorskip("torch")
    course_model = pytest.importorskip("rfid_reader.training.course_model")
    network = load_course("production")
    again = course_model.CourseModel.of(network, 0.0).exported()
    windows = np.random.default_rng(3).random((5, WINDOW_BINS, network.bin_weight.shape[1]), np.float32)
    group = np.array([0, 0, 1, 1, 1])
    assert again(windows, group) == pytest.approx(network(windows, group), abs=1e-6)
