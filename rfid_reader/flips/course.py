"""The course of a tag over WINDOW_BINS bins, judged as a whole and beside the rack's other tags.

A second network after the one that scores single moments (`network`): it sees how a tag came to be where it
is, and whether it came back. What each of a tag's links did in a bin (`features.link_bins`) is put into a few
numbers, whose sum and highest over the links stand for all of them; with the tag's own columns they make the
numbers of the bin, those of a whole window what the tag went through; that is compared with what the others
of its rack went through that are worth judging at the same time. It judges the middle of the bin AHEAD_BINS
before the newest.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.resources import files
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from rfid_reader.errors import ReaderError
from rfid_reader.flips.features.activity import OWN, SHARED, STATICS
from rfid_reader.flips.features.link_bins import LINK_COLUMNS
from rfid_reader.flips.features.recurrence import RECURRENCES

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
WINDOW_BINS = 26
AHEAD_BINS = 4
NOT_JUDGED = -5.0
"""Log-odds of a tag at a tick at which it was not worth judging."""
LEAST_SCORE, MOST_SCORE = 0.0067, 1 - 1e-4
COLUMNS = OWN + SHARED + RECURRENCES + 3 + STATICS
MOMENT = OWN + SHARED + RECURRENCES
"""The column of the moment's log-odds; the next one says that the moment was worth judging."""
JUDGED = MOMENT + 1
DOUBLED = MOMENT + 2
"""The column that says that the reader's phases are doubled (`rfid_reader.half_turns`)."""
PREFIX = "course_"
GROWTH_TAGS = 512
"""Room is made for so many tags at a time: windows are the most that is kept of a tag."""


@dataclass(frozen=True)
class CourseNetwork:
    """Weights are (inputs, outputs). Columns are standardised; ReLU between layers, a sigmoid at the end.

    bin_weight takes a tag's columns, then half the sum and the highest of what link_weight and then
    code_weight make of its links' columns; window_weight takes the bins one after another, the newest last;
    rack_weight takes the tag's own course, then the highest and the mean of what `share_weight` makes of all
    the rack's courses.
    """

    mean: Array
    scale: Array
    link_mean: Array
    link_scale: Array
    link_weight: Array
    link_bias: Array
    code_weight: Array
    code_bias: Array
    bin_weight: Array
    bin_bias: Array
    window_weight: Array
    window_bias: Array
    share_weight: Array
    share_bias: Array
    rack_weight: Array
    rack_bias: Array
    last_weight: Array
    last_bias: Array

    def bins(self, columns: Array, tags: Rows, links: Array) -> Array:
        """(n, numbers a bin) of columns (n, COLUMNS), and of the links that were heard the rows of their tags
        and their columns (m, LINK_COLUMNS)."""
        value = np.clip((columns - self.mean) / self.scale, -8, 8)
        numbers = value @ self.bin_weight[: columns.shape[1]] + self.bin_bias
        if len(tags):
            code = np.clip((links - self.link_mean) / self.link_scale, -6, 6)
            code = np.maximum(code @ self.link_weight + self.link_bias, 0)
            code = np.maximum(code @ self.code_weight + self.code_bias, 0)
            order = np.argsort(tags, kind="stable")
            some, starts = np.unique(tags[order], return_index=True)
            total = np.add.reduceat(code[order], starts)
            highest = np.maximum.reduceat(code[order], starts)
            codes = np.concatenate([0.5 * total, highest], axis=1)
            numbers[some] += codes @ self.bin_weight[columns.shape[1] :]
        return np.asarray(np.maximum(numbers, 0), np.float32)

    def __call__(self, windows: Array, group: Rows) -> NDArray[np.float64]:
        """Probability (n,) of windows (n, WINDOW_BINS, numbers a bin) of tags in groups (n,)."""
        course = np.maximum(windows.reshape(len(windows), -1) @ self.window_weight + self.window_bias, 0)
        shared = np.maximum(course @ self.share_weight + self.share_bias, 0)
        _, rack, size = np.unique(group, return_inverse=True, return_counts=True)
        highest = np.zeros((len(size), shared.shape[1]), np.float32)
        np.maximum.at(highest, rack, shared)
        total = np.zeros_like(highest)
        np.add.at(total, rack, shared)
        mean = total / size[:, None].astype(np.float32)
        beside = np.concatenate([course, highest[rack], mean[rack]], axis=1)
        value = np.maximum(beside @ self.rack_weight + self.rack_bias, 0)
        logit = (value @ self.last_weight + self.last_bias)[:, 0].astype(np.float64)
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -40, 40))))


def load_course(name: str) -> CourseNetwork:
    """The course network of NAME.npz, shipped with this package. Raises ReaderError if it does not fit."""
    return course_of(files("rfid_reader.flips").joinpath(f"{name}.npz").read_bytes(), name)


def course_of(data: bytes, name: str) -> CourseNetwork:
    """The course network in the content of NAME.npz. Raises ReaderError if it does not fit."""
    with np.load(BytesIO(data), allow_pickle=False) as arrays:
        if missing := [field.name for field in fields(CourseNetwork) if PREFIX + field.name not in arrays]:
            raise ReaderError(
                f"{name}.npz has no {PREFIX}{missing[0]}; "
                "train it with: python -m rfid_reader.training.course"
            )
        network = CourseNetwork(
            *(np.asarray(arrays[PREFIX + field.name], np.float32) for field in fields(CourseNetwork))
        )
    columns = network.bin_weight.shape[0] - 2 * network.code_weight.shape[1]
    if (columns, len(network.link_weight), len(network.window_weight)) != (
        *(COLUMNS, LINK_COLUMNS),
        WINDOW_BINS * network.bin_weight.shape[1],
    ):
        raise ReaderError(
            f"{name}.npz expects {columns} columns a bin and {len(network.link_weight)} a link, this version "
            f"has {COLUMNS} and {LINK_COLUMNS}; train it again with: python -m rfid_reader.training.course"
        )
    return network


def course_columns(
    bins: Array, recurrences: NDArray[np.float64], doubled: bool, statics: NDArray[np.float64]
) -> Array:
    """(tags, COLUMNS) of one bin: activity, recurrences, log-odds of the moment and that it was worth judging
    (filled in by `mark_moments`), whether phases are doubled, what the tag's links are like."""
    columns = np.zeros((len(bins), COLUMNS), np.float32)
    columns[:, : OWN + SHARED] = bins
    columns[:, OWN + SHARED : MOMENT] = recurrences
    columns[:, MOMENT] = NOT_JUDGED
    columns[:, DOUBLED] = doubled
    columns[:, -STATICS:] = statics
    return columns


def mark_moments(columns: Array, rows: Rows, scores: NDArray[np.float64]) -> None:
    """Write the scores (0..1) of single moments into the columns of these rows."""
    clipped = np.clip(scores, LEAST_SCORE, MOST_SCORE)
    columns[rows, MOMENT] = np.log(clipped / (1 - clipped))
    columns[rows, JUDGED] = 1.0


class Courses:
    """The last WINDOW_BINS bins of every tag, as its network takes them. Grows with the tags."""

    def __init__(self, network: CourseNetwork) -> None:
        self._network = network
        blank = np.zeros((1, COLUMNS), np.float32)
        blank[:, MOMENT] = NOT_JUDGED
        self._blank = network.bins(blank, np.zeros(0, np.int64), np.zeros((0, LINK_COLUMNS), np.float32))
        self._bins = np.zeros((WINDOW_BINS, 0, self._blank.shape[1]), np.float32)
        self._newest = 0

    def _grow(self, tags: int) -> None:
        have = self._bins.shape[1]
        if tags <= have:
            return
        size = -(-tags // GROWTH_TAGS) * GROWTH_TAGS
        bins = np.empty((WINDOW_BINS, size, self._blank.shape[1]), np.float32)
        bins[:, :have], bins[:, have:] = self._bins, self._blank
        self._bins = bins

    def forget(self, rows: Rows) -> None:
        """Begin anew with tag rows that now stand for other tags."""
        self._bins[:, rows[rows < self._bins.shape[1]]] = self._blank

    def resume(self) -> None:
        """Forget everything: time has passed without bins."""
        self._bins[:] = self._blank

    def add(self, columns: Array, tags: Rows, links: Array) -> None:
        """One bin of all tags, (tags, COLUMNS), and of the links heard in it their tags' rows (m,) and
        columns (m, LINK_COLUMNS)."""
        self._grow(len(columns))
        self._newest = (self._newest + 1) % WINDOW_BINS
        self._bins[self._newest, : len(columns)] = self._network.bins(columns, tags, links)

    def judge(self, rows: Rows, group: Rows) -> NDArray[np.float64]:
        """Scores (n,) of tag rows worth judging, in their groups (n,)."""
        if not len(rows):
            return np.zeros(0)
        order = (self._newest + 1 + np.arange(WINDOW_BINS)) % WINDOW_BINS
        windows = self._bins[order[:, None], rows[None]].transpose(1, 0, 2)
        return self._network(windows, group)
