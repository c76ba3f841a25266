"""A tag's course: how far its links are from how they were, and what a network makes of thirteen seconds."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from rfid_reader.errors import ReaderError
from rfid_reader.flips import course
from rfid_reader.flips.course import (
    COLUMNS,
    DOUBLED,
    GROWTH_TAGS,
    JUDGED,
    MOMENT,
    NOT_JUDGED,
    WINDOW_BINS,
    CourseNetwork,
    Courses,
    course_columns,
    load_course,
    mark_moments,
)
from rfid_reader.flips.features.activity import OWN, SHARED, STATICS
from rfid_reader.flips.features.link_bins import LINK_COLUMNS
from rfid_reader.flips.features.recurrence import LAGS, LONGEST_HELD, RECURRENCES, HeardLinks, LinkMemory
from rfid_reader.flips.features.residual_table import Residuals
from rfid_reader.flips.features.residuals import MAX_ANTENNAS

HEARD_DB = np.full((2, MAX_ANTENNAS), -60.0)


def heard(phase_rad: float, level_dbm: float = -50.0, tag: int = 0) -> Residuals:
    """One read of a tag's first link."""
    none = Residuals.none()
    columns = {
        field.name: np.zeros(1, np.int64 if field.name in ("tag", "antenna") else np.float64)
        for field in fields(Residuals)
        if field.name != "steps"
    }
    columns |= {"tag": np.full(1, tag), "weight": np.ones(1), "link_phase_rad": np.full(1, phase_rad)}
    return replace(none, **columns | {"link_rssi_dbm": np.full(1, level_dbm)})


def lags(memory: LinkMemory, residuals: Residuals) -> tuple[np.ndarray, np.ndarray]:
    columns = memory.step(residuals, HeardLinks.of(residuals), HEARD_DB, 2)
    return columns[0, : len(LAGS)], columns[0, len(LAGS) : 2 * len(LAGS)]


def test_a_link_that_left_and_came_back_is_far_from_its_absence_only() -> None:
    memory = LinkMemory()
    for _ in range(10):
        apart, shift = lags(memory, heard(1.0, -50.0))
    assert apart.max() < 1e-6
    for _ in range(3):
        apart, shift = lags(memory, heard(1.0 + np.pi, -60.0))
    assert apart[LAGS.index(2)] < 1e-6 and apart[LAGS.index(4)] == pytest.approx(2.0)
    assert shift[LAGS.index(4)] == pytest.approx(-2.0)
    apart, shift = lags(memory, heard(1.0, -50.0))
    assert apart[LAGS.index(1)] == pytest.approx(2.0) and apart[LAGS.index(4)] < 1e-6
    assert shift[LAGS.index(1)] == pytest.approx(2.0) and abs(shift[LAGS.index(4)]) < 1e-6


def test_a_link_is_held_where_it_was_not_heard_but_not_for_long() -> None:
    memory = LinkMemory()
    lags(memory, heard(0.0))
    for _ in range(LONGEST_HELD):
        lags(memory, Residuals.none())
    apart, _ = lags(memory, heard(np.pi))
    assert apart[LAGS.index(1)] == pytest.approx(2.0)
    memory = LinkMemory()
    lags(memory, heard(0.0))
    for _ in range(LONGEST_HELD + 1):
        lags(memory, Residuals.none())
    apart, _ = lags(memory, heard(np.pi))
    assert apart[LAGS.index(1)] == 0.0


@pytest.mark.parametrize("way", ["forget", "resume"])
def test_what_a_link_was_can_be_forgotten(way: str) -> None:
    memory = LinkMemory()
    lags(memory, heard(0.0))
    if way == "forget":
        memory.forget(np.array([0, 1]))
    else:
        memory.resume()
    assert lags(memory, heard(np.pi))[0].max() == 0.0


NO_LINKS = np.zeros(0, np.int64), np.zeros((0, LINK_COLUMNS), np.float32)


def random_network(seed: int = 4, a_bin: int = 3, course: int = 8, shared: int = 6) -> CourseNetwork:
    rng = np.random.default_rng(seed)
    layers = [
        (LINK_COLUMNS, 8),
        (8, 6),
        (COLUMNS + 12, a_bin),
        (WINDOW_BINS * a_bin, course),
        (course, shared),
        (course + 2 * shared, 8),
        (8, 1),
    ]
    arrays: list[np.ndarray] = [np.zeros(COLUMNS), np.ones(COLUMNS)]
    arrays += [np.zeros(LINK_COLUMNS), np.ones(LINK_COLUMNS)]
    for inputs, outputs in layers:
        arrays += [rng.normal(0, inputs**-0.5, (inputs, outputs)), rng.normal(0, 0.3, outputs)]
    return CourseNetwork(*(array.astype(np.float32) for array in arrays))


def test_a_course_is_judged_beside_those_of_its_own_rack() -> None:
    network = random_network()
    windows = np.random.default_rng(1).random((4, WINDOW_BINS, 3)).astype(np.float32)
    group = np.array([7, 7, 9, 9])
    together = network(windows, group)
    assert network(windows[:2], group[:2]) == pytest.approx(together[:2])
    assert abs(network(windows[:1], group[:1])[0] - together[0]) > 1e-5
    assert network(windows[::-1], group[::-1]) == pytest.approx(together[::-1])


def test_the_links_of_a_tag_count_whatever_their_order_and_no_other_tags_do() -> None:
    network, rng = random_network(), np.random.default_rng(6)
    columns = rng.normal(size=(3, COLUMNS)).astype(np.float32)
    links = rng.normal(size=(4, LINK_COLUMNS)).astype(np.float32)
    tags = np.array([0, 2, 0, 2])
    bins = network.bins(columns, tags, links)
    assert network.bins(columns, tags[::-1], links[::-1]) == pytest.approx(bins, abs=1e-6)
    assert bins[1] == pytest.approx(network.bins(columns, *NO_LINKS)[1])
    assert bins[0] == pytest.approx(network.bins(columns, tags[tags == 0], links[tags == 0])[0])
    assert abs(bins[0] - network.bins(columns, tags[:1], links[:1])[0]).max() > 1e-4


def test_courses_judge_the_last_bins_in_their_order() -> None:
    network, rng = random_network(), np.random.default_rng(2)
    courses = Courses(network)
    bins = rng.normal(size=(WINDOW_BINS + 9, 2, COLUMNS)).astype(np.float32)
    for columns in bins:
        courses.add(columns, *NO_LINKS)
    windows = np.stack([network.bins(columns, *NO_LINKS) for columns in bins[-WINDOW_BINS:]], axis=1)
    rows = np.array([0, 1])
    assert courses.judge(rows, np.zeros(2, np.int64)) == pytest.approx(
        network(windows, np.zeros(2, np.int64))
    )
    assert len(courses.judge(rows[:0], rows[:0])) == 0


def test_tags_keep_their_course_when_room_is_made_for_more() -> None:
    network, rng = random_network(), np.random.default_rng(8)
    columns = rng.normal(size=(6, GROWTH_TAGS + 1, COLUMNS)).astype(np.float32)
    columns[:3, 2:] = course_columns(
        np.zeros((1, OWN + SHARED), np.float32), np.zeros((1, RECURRENCES)), False, np.zeros((1, STATICS))
    )
    grown, at_once = Courses(network), Courses(network)
    for tick, every in enumerate(columns):
        grown.add(every[:2] if tick < 3 else every, *NO_LINKS)
        at_once.add(every, *NO_LINKS)
    rows = np.array([0, 1, 2, GROWTH_TAGS])
    assert grown.judge(rows, rows) == pytest.approx(at_once.judge(rows, rows))


def test_a_row_given_to_another_tag_begins_with_the_course_of_a_new_one() -> None:
    network, rng = random_network(), np.random.default_rng(3)
    old, new = Courses(network), Courses(network)
    for _ in range(5):
        old.add(rng.normal(size=(1, COLUMNS)).astype(np.float32), *NO_LINKS)
    old.forget(np.array([0]))
    last = rng.normal(size=(1, COLUMNS)).astype(np.float32)
    old.add(last, *NO_LINKS)
    new.add(last, *NO_LINKS)
    row = np.zeros(1, np.int64)
    assert old.judge(row, row) == pytest.approx(new.judge(row, row))
    old.resume()
    new.resume()
    assert old.judge(row, row) == pytest.approx(new.judge(row, row))


def test_moments_that_were_not_worth_judging_are_told_from_unlikely_ones() -> None:
    columns = course_columns(
        np.zeros((3, OWN + SHARED), np.float32), np.zeros((3, RECURRENCES)), True, np.ones((3, STATICS))
    )
    assert columns[:, DOUBLED].tolist() == [1.0, 1.0, 1.0]
    mark_moments(columns, np.array([1]), np.array([0.5]))
    assert columns[:, MOMENT].tolist() == [NOT_JUDGED, 0.0, NOT_JUDGED]
    assert columns[:, JUDGED].tolist() == [0.0, 1.0, 0.0]


def test_the_shipped_course_network_fits_the_columns() -> None:
    network = load_course("production")
    windows = np.zeros((3, WINDOW_BINS, network.bin_weight.shape[1]), np.float32)
    calm = network(windows, np.zeros(3, np.int64))
    assert calm.shape == (3,) and np.all((calm >= 0) & (calm <= 1))


def test_a_file_without_a_course_network_says_how_to_train_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "old.npz", rules=np.zeros(1))
    monkeypatch.setattr(course, "files", lambda package: tmp_path)
    with pytest.raises(ReaderError, match=r"old\.npz has no course_mean; train it with"):
        load_course("old")
