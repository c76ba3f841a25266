"""The benchmark of search: lists that nobody can win by their order, baselines in the same run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.fleet.search.bm25 import bm25
from bench.fleet.search.command import search
from bench.fleet.search.garments import garments
from bench.fleet.search.lists import Lists, drawn_lists, of_one_query_each
from fleet.errors import FleetError
from fleet.search.asking import Asking, answers
from fleet.search.looks import described, measured
from fleet.search.words import vocabulary


def made_up(count: int) -> tuple[np.ndarray, np.ndarray]:
    drawn = np.random.default_rng(0)
    pictures = drawn.integers(0, 255, (count, 28, 28)).astype(np.uint8)
    return np.arange(count), described(measured(pictures), drawn.integers(0, 4, count), vocabulary())


def test_lists_have_five_right_twelve_alike_and_are_shuffled() -> None:
    rows, known = made_up(2500)
    lists = drawn_lists(rows, known, Asking(vocabulary()), 60, 0, is_shop=True)
    for wanted, candidates, right in zip(lists.wanted, lists.candidates, lists.is_right, strict=True):
        assert answers(wanted, known[candidates]).tolist() == right.tolist()
        assert (right.sum(), answers(wanted[-1:], known[candidates]).sum()) == (5, 17)
        assert len(set(candidates)) == 30
    by_place = lists.is_right.mean(0)
    assert by_place.min() > 0.02 and by_place.max() < 0.4
    alone = of_one_query_each(lists)
    shown = alone.candidates[alone.is_right]
    assert len(shown) == len(set(shown))
    assert len(set(lists.candidates[lists.is_right])) == len(shown)


def test_bm25_needs_shared_words_and_by_concept_only_shared_meaning() -> None:
    nothing = np.zeros((1, 3), dtype=bool)
    lists = Lists(["dark coat"], [(0, 1)], np.array([[0, 1, 2]]), nothing)
    called = {0: "coat", 1: "夹克", 2: "bag"}
    assert (bm25(lists, called) > 0).tolist() == [[True, False, False]]
    assert (bm25(lists, called, vocabulary()) > 0).tolist() == [[True, True, False]]


def test_without_the_pictures_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAGSIGHT_FASHION_MNIST", str(tmp_path))
    with pytest.raises(FleetError, match="scripts/fetch-fashion-mnist fetches it"):
        garments(vocabulary())


@pytest.mark.slow
def test_a_quick_run_says_every_part() -> None:
    pytest.importorskip("torch", reason="the extra train is not installed")
    pytest.importorskip("faiss", reason="the extra search is not installed")
    try:
        garments(vocabulary())
    except FleetError as error:
        pytest.skip(str(error))
    done = CliRunner().invoke(search, ["--quick", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    scores = {name: each["mean"] for name, each in told["NDCG@5"].items()}
    assert scores["chance"] < 0.25 < scores["class only"] == scores["BM25 by concept"]
    assert {"two towers", "one stream", "fusion", "BM25 on titles"} < set(scores)
    assert set(told["split 0"]["after"]) == {"shop", "one query a picture"}
    assert told["a search"]["recall of ten"] > 0.8
