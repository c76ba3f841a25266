"""Courses of generated stores as material for training."""

from __future__ import annotations

import numpy as np
import pytest

from bench.flips.clip_marks import FIRST_SEED as FIRST_MARK_SEED
from bench.flips.command import FIRST_TEST_SEED
from bench.flips.judging import run
from rfid_reader.flips.course import (
    AHEAD_BINS,
    COLUMNS,
    WINDOW_BINS,
    CourseNetwork,
    Courses,
    load_course,
)
from rfid_reader.flips.features.activity import FEATURES
from rfid_reader.flips.network import load_network
from rfid_reader.simulator.people.handling import TrueFlip
from rfid_reader.simulator.recordings import record_store, thinned
from rfid_reader.training.activity import FIRST_VALIDATION_SEED
from rfid_reader.training.course_features import StoreCourses, courses_of


def test_courses_of_a_store_hold_every_tag_and_tick() -> None:
    store = thinned(record_store(1003, 40.0), 6.0)
    courses = courses_of(store, load_network("production", FEATURES)[0])
    assert courses.columns.shape == (len(courses.epcs), len(courses.time_s), COLUMNS)
    assert np.diff(courses.time_s) == pytest.approx(0.5)
    judged = courses.worth_judging()
    assert judged.any() and not judged.all()
    assert (courses.group[judged] >= 0).all()


def still(flips: list[TrueFlip], ticks: int = 40) -> StoreCourses:
    columns = np.zeros((2, ticks, COLUMNS), np.float16)
    time_s = np.arange(0.25, 0.5 * ticks, 0.5)
    return StoreCourses(time_s, columns, np.zeros((2, ticks), np.int8), ["aa", "bb"], flips, 2, 20.0)


def test_flips_are_numbered_and_their_edges_left_out() -> None:
    numbers = still([TrueFlip("bb", "rack", None, 2.0, 3.6)]).flip_numbers()
    assert numbers[0].tolist() == [0] * 40
    assert numbers[1, 3:9].tolist() == [-1, 1, 1, 1, -1, 0]


def test_the_exported_network_is_the_trained_one() -> None:
    torch = pytest.importorskip("torch")
    training = pytest.importorskip("rfid_reader.training.course")
    torch.manual_seed(1)
    model = training.CourseModel(np.zeros(COLUMNS, np.float32), np.ones(COLUMNS, np.float32)).eval()
    rng = np.random.default_rng(5)
    columns = rng.normal(size=(3, WINDOW_BINS, COLUMNS)).astype(np.float32)
    group = np.array([0, 0, 1])
    with torch.no_grad():
        logit = model(torch.from_numpy(columns), torch.from_numpy(group[:, None]), torch.ones(3, 1) > 0)
    network = model.exported()
    windows = np.stack([network.bins(columns[:, tick]) for tick in range(WINDOW_BINS)], axis=1)
    assert network(windows, group) == pytest.approx(1 / (1 + np.exp(-logit.numpy())), abs=1e-5)


def test_a_flip_is_looked_for_where_ticks_judge_it() -> None:
    pytest.importorskip("torch")
    training = pytest.importorskip("rfid_reader.training.course")
    recording = still([TrueFlip("aa", "rack", None, 4.0, 6.0)])
    assert training.judged_flips(recording.flip_numbers())[0].tolist() == [0] * AHEAD_BINS + (
        recording.flip_numbers()[0, :-AHEAD_BINS].tolist()
    )


def test_no_store_that_rules_or_marks_are_chosen_on_trains_and_none_twice() -> None:
    pytest.importorskip("torch")
    training = pytest.importorskip("rfid_reader.training.course")
    sources = training.sources()
    seeds = {seed for seed, _, kind in sources if kind == "store"}
    assert len(set(sources)) == len(sources)
    assert max(seeds) < min(FIRST_MARK_SEED, FIRST_VALIDATION_SEED, FIRST_TEST_SEED)


def test_the_average_of_weights_follows_them_slowly() -> None:
    torch = pytest.importorskip("torch")
    course_model = pytest.importorskip("rfid_reader.training.course_model")
    model = course_model.CourseModel(np.zeros(COLUMNS, np.float32), np.ones(COLUMNS, np.float32))
    before = model.last.bias.detach().clone()
    average = course_model.Average(model)
    with torch.no_grad():
        model.last.bias += 1.0
    average.add(model)
    moved = (average.model.last.bias.detach() - before).numpy()
    assert moved == pytest.approx(1 - course_model.AVERAGED, abs=1e-6)


def test_networks_side_by_side_give_the_mean_of_their_log_odds() -> None:
    torch = pytest.importorskip("torch")
    course_model = pytest.importorskip("rfid_reader.training.course_model")
    torch.manual_seed(2)
    mean, scale = np.zeros(COLUMNS, np.float32), np.full(COLUMNS, 2.0, np.float32)
    members = [course_model.CourseModel(mean, scale, width).exported() for width in (48, 64)]
    rng = np.random.default_rng(6)
    columns = rng.normal(size=(WINDOW_BINS, 5, COLUMNS)).astype(np.float32)
    rows, group = np.arange(5), np.array([0, 0, 0, 1, 1])

    def log_odds(network: CourseNetwork) -> np.ndarray:
        courses = Courses(network)
        for tick in columns:
            courses.add(tick)
        score = courses.judge(rows, group)
        return np.log(score / (1 - score))

    mine = [log_odds(member) for member in members]
    assert np.abs(mine[0] - mine[1]).max() > 0.01
    assert log_odds(course_model.merged(members)) == pytest.approx(0.5 * (mine[0] + mine[1]), abs=1e-4)
    other = course_model.CourseModel(mean, mean + 1).exported()
    with pytest.raises(ValueError, match="different recordings"):
        course_model.merged([members[0], other])


def test_training_scores_ticks_as_the_detector_does() -> None:
    pytest.importorskip("torch")
    training = pytest.importorskip("rfid_reader.training.course")
    store = thinned(record_store(1003, 40.0), 6.0)
    network = load_network("production", FEATURES)[0]
    scores = training.tick_scores(load_course("production"), courses_of(store, network))
    shipped = run("production", store.reads).scores.log
    for (rows, score), (_, said_rows, said) in zip(scores, shipped, strict=True):
        assert rows.tolist() == said_rows.tolist()
        assert score == pytest.approx(said, abs=0.02)


def test_a_model_begins_with_the_weights_of_a_network_and_gives_them_back() -> None:
    pytest.importorskip("torch")
    course_model = pytest.importorskip("rfid_reader.training.course_model")
    network = load_course("production")
    again = course_model.CourseModel.of(network, 0.0).exported()
    windows = np.random.default_rng(3).random((5, WINDOW_BINS, network.bin_weight.shape[1]), np.float32)
    group = np.array([0, 0, 1, 1, 1])
    assert again(windows, group) == pytest.approx(network(windows, group), abs=1e-6)
