"""Towers learn from pictures; their words say the same without torch; garments are found by nearness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleet.errors import FleetError
from fleet.search.asking import answers
from fleet.search.index import GarmentIndex
from fleet.search.looks import described, measured
from fleet.search.word_tower import PARTS, WordTower
from fleet.search.words import Vocabulary, vocabulary


def of_length_one(count: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_exact_index_and_the_graph_find_what_is_nearest() -> None:
    pytest.importorskip("faiss", reason="the extra search is not installed")
    garments, asked = of_length_one(3000), of_length_one(20, 1)
    nearest = np.argsort(-(asked @ garments.T), axis=1)[:, :10]
    exact, cosines = GarmentIndex(garments).nearest(asked, 10)
    assert exact.tolist() == nearest.tolist()
    assert cosines[:, 0] == pytest.approx((asked @ garments.T).max(1), abs=1e-5)
    graph, _ = GarmentIndex(garments, exact_up_to=0).nearest(asked, 10)
    assert np.mean([len(np.intersect1d(*pair)) for pair in zip(graph, nearest, strict=True)]) > 9.5
    assert GarmentIndex(garments[:3]).nearest(asked, 10)[0].shape == (20, 3)


def a_tower(ours: Vocabulary) -> WordTower:
    drawn = np.random.default_rng(0)
    shapes = [(len(ours.words) + 1, 8), (len(ours.concepts) + 1, 8), (12, 8), (12,), (8, 12), (8,)]
    return WordTower(
        ours,
        {
            part: drawn.standard_normal(shape).astype(np.float32)
            for part, shape in zip(PARTS, shapes, strict=True)
        },
    )


def test_a_tower_is_the_same_after_saving_and_refuses_another_vocabulary(tmp_path: Path) -> None:
    ours = vocabulary()
    tower = a_tower(ours)
    tower.save(tmp_path / "words.npz")
    again = WordTower.load(ours, tmp_path / "words.npz")
    found = again.embed("dark coat, please")
    assert found.embedding is not None
    assert found.embedding == pytest.approx(tower.embed("please, dark coat").embedding)
    assert found.unknown == ("please",)
    assert again.embed("zxy").embedding is None
    with pytest.raises(FleetError, match="train them anew"):
        WordTower.load(Vocabulary({"kind": {"coat": ("coat",)}}), tmp_path / "words.npz")
    (tmp_path / "words.npz").write_bytes(b"PK rubbish")
    with pytest.raises(FleetError, match="no tower of words"):
        WordTower.load(ours, tmp_path / "words.npz")


@pytest.mark.slow
def test_towers_learn_what_was_drawn_into_pictures() -> None:
    torch = pytest.importorskip("torch", reason="the extra train is not installed")
    from fleet.search.ranking import ndcg
    from fleet.search.towers import embedded, embedded_queries
    from fleet.search.training import Coder, TowerRecipe, trained

    torch.set_num_threads(1)
    ours = vocabulary()
    drawn = np.random.default_rng(0)
    kinds = drawn.integers(0, 3, 600)
    pictures = np.zeros((600, 28, 28), np.uint8)
    for row, kind in enumerate(kinds):  # three kinds: where on the picture it hangs
        half = int(drawn.integers(3, 9))
        pictures[row, 2 + 7 * kind : 12 + 7 * kind, 14 - half : 14 + half] = drawn.integers(60, 250)
    known = described(measured(pictures), kinds, ours)
    held_out = frozenset({"deep", "暗色"})
    towers = trained(pictures, known, ours, TowerRecipe(steps=40, batch=96), 0, held_out)

    coder, images = Coder(ours, held_out), embedded(towers, pictures)
    for kind, text in enumerate(("deep tee", "deep pants", "暗色 sweater")):  # words that no training saw
        right = answers((ours.concepts.index("dark"), kind), known)
        assert right.mean() < 0.2
        assert ndcg(images @ embedded_queries(towers, [coder.coded(text)])[0], right) > 0.8

    full = trained(pictures, known, ours, TowerRecipe(steps=3, batch=32), 0)
    with_torch = embedded_queries(full, [Coder(ours).coded("黑色毛衣")])[0]
    assert WordTower.of(ours, full).embed("黑色毛衣").embedding == pytest.approx(with_torch, abs=1e-5)
