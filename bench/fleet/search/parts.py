"""The parts of `tagsight bench search`: what is trained, judged, fused, deleted, timed."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.fleet.search.bm25 import bm25
from bench.fleet.search.garments import ProductPictures
from bench.fleet.search.lists import Lists, drawn_lists, of_one_query_each, titles
from bench.fleet.search.stream import StreamRecipe, judged, trained_stream
from fleet.search.asking import Asking
from fleet.search.index import GarmentIndex
from fleet.search.ranking import Floats, best_weight, fused, ndcg, only_best
from fleet.search.towers import Towers, embedded, embedded_queries
from fleet.search.training import Coder, TowerRecipe, trained
from fleet.search.word_tower import WordTower
from fleet.search.words import Vocabulary

GRID = tuple(round(step / 10, 1) for step in range(11))
LEAST_LEAD = 0.05
LEARNT, KEPT = 50_000, 10_000


class Size(NamedTuple):
    """`lists` are judged of each split and half as many chosen on; `ablation`: steps of the towers there."""

    recipe: TowerRecipe
    stream: StreamRecipe
    lists: int
    ablation: int


WHOLE = Size(TowerRecipe(steps=300), StreamRecipe(steps=250), 500, 100)
QUICK = Size(TowerRecipe(steps=12, batch=64), StreamRecipe(steps=4, batch=8), 40, 4)


class Split(NamedTuple):
    """Score of each list by each matcher, and what else was found of this split."""

    by_name: dict[str, list[float]]
    told: dict[str, Any]
    towers: Towers


def scores(lists: Lists, by_list: Floats) -> list[float]:
    """NDCG@5 of each list."""
    return [ndcg(*each) for each in zip(by_list, lists.is_right, strict=True)]


def by_towers(towers: Towers, coder: Coder, lists: Lists, garments: ProductPictures) -> Floats:
    """(lists, candidates): cosines."""
    shown, place = np.unique(lists.candidates, return_inverse=True)
    pictures = embedded(towers, garments.pictures[shown])[place.reshape(lists.candidates.shape)]
    asked = embedded_queries(towers, [coder.coded(text) for text in lists.texts])
    found: Floats = np.einsum("lcd,ld->lc", pictures, asked)
    return found


def split(garments: ProductPictures, vocabulary: Vocabulary, number: int, size: Size) -> Split:
    """Pictures that are learnt from, chosen on and judged on are others, and others in each split."""
    order = np.random.default_rng(100 + number).permutation(len(garments.pictures))
    learnt, chosen_on, judged_on = order[:LEARNT], order[LEARNT : LEARNT + KEPT], order[LEARNT + KEPT :]
    asking, coder = Asking(vocabulary), Coder(vocabulary)
    begun = time.process_time()
    towers = trained(garments.pictures[learnt], garments.described[learnt], vocabulary, size.recipe, number)
    towers_s = time.process_time() - begun
    begun = time.process_time()
    stream = trained_stream(
        garments.pictures[learnt], garments.described[learnt], vocabulary, towers, size.stream, number
    )
    stream_s = time.process_time() - begun
    held = drawn_lists(chosen_on, garments.described, asking, size.lists // 2, 200 + number)
    lists = drawn_lists(judged_on, garments.described, asking, size.lists, 300 + number)
    found: dict[str, Floats] = {}
    pairs = []
    for each in (held, lists):
        queries = [coder.coded(text) for text in each.texts]
        pairs.append(
            (
                by_towers(towers, coder, each, garments),
                judged(stream, garments.pictures, each.candidates, queries),
            )
        )
    weight = best_weight(*pairs[0], list(held.is_right), GRID)
    found["two towers"], found["one stream"] = pairs[1]
    found["fusion"] = fused(*pairs[1], weight)
    drawn = np.random.default_rng(number)
    found["chance"] = drawn.random(lists.candidates.shape)
    kinds = np.array([wanted[-1] for wanted in lists.wanted])
    found["class only"] = (garments.described[lists.candidates].argmax(2) == kinds[:, None]).astype(float)
    called = titles(judged_on, garments.described, asking, number)
    found["BM25 on titles"] = bm25(lists, called)
    found["BM25 by concept"] = bm25(lists, called, vocabulary)
    by_name = {name: scores(lists, by_list) for name, by_list in found.items()}
    told = {
        "weight of towers": weight,
        "towers cpu_s": round(towers_s, 1),
        "stream cpu_s": round(stream_s, 1),
        "after": _after(towers, coder, garments, judged_on, asking, number, size.lists),
    }
    return Split(by_name, told, towers)


def _after(
    towers: Towers,
    coder: Coder,
    garments: ProductPictures,
    rows: npt.NDArray[np.intp],
    asking: Asking,
    number: int,
    count: int,
) -> dict[str, dict[str, float]]:
    """The published after-processing where pictures stand in several lists, scored both ways on all lists.

    "as lists": what was deleted comes last, all that is right counts. "deleted left out": what was deleted
    counts for nothing, a list of which nothing right is left has no score.
    """
    shop = drawn_lists(rows, garments.described, asking, count, 400 + number, is_shop=True)
    found = {}
    for world, lists in (("shop", shop), ("one query a picture", of_one_query_each(shop))):
        plain = by_towers(towers, coder, lists, garments)
        told = {"without": float(np.mean(scores(lists, plain)))}
        for name, lead in (("best query", None), ("best query with a lead", LEAST_LEAD)):
            keep = only_best(plain, lists.candidates, lead)
            after = np.where(keep, plain, plain.min() - 1)
            left = [ndcg(*each) for each in zip(after, lists.is_right & keep, strict=True)]
            told[f"{name}, as lists"] = float(np.mean(scores(lists, after)))
            told[f"{name}, deleted left out"] = float(np.nanmean(left)) if np.isfinite(left).any() else 0.0
            told[f"{name}, lists left"] = float(np.isfinite(left).mean())
        found[world] = {key: round(value, 4) for key, value in told.items()}
    return found


def ablation(garments: ProductPictures, vocabulary: Vocabulary, size: Size, seed: int) -> dict[str, float]:
    """Short runs of the same length: losses, hard negatives; and words that were held out, by their concepts
    and without. Mean NDCG@5."""
    order = np.random.default_rng(100 + seed).permutation(len(garments.pictures))
    learnt, judged_on = order[:LEARNT], order[LEARNT + KEPT :]
    pictures, described = garments.pictures[learnt], garments.described[learnt]
    plain = size.recipe._replace(steps=size.ablation)
    lists = drawn_lists(judged_on, garments.described, Asking(vocabulary), size.lists, 500 + seed)
    found = {}
    for name, recipe in (
        ("margin, hard negatives", plain),
        ("no hard negatives", plain._replace(hard=False)),
        ("no margin", plain._replace(loss="softmax")),
        ("multi-similarity", plain._replace(loss="multi-similarity")),
    ):
        towers = trained(pictures, described, vocabulary, recipe, seed)
        found[name] = float(np.mean(scores(lists, by_towers(towers, Coder(vocabulary), lists, garments))))
    held_out = held_out_words(vocabulary)
    others = frozenset(vocabulary.words) - held_out
    strange = drawn_lists(judged_on, garments.described, Asking(vocabulary, others), size.lists, 600 + seed)
    for name, by_concept in (
        ("held-out words, by concept", True),
        ("held-out words, without concepts", False),
    ):
        coder = Coder(vocabulary, held_out, by_concept)
        recipe = plain if by_concept else plain._replace(forgotten=0.0)
        towers = trained(pictures, described, vocabulary, recipe, seed, held_out, by_concept)
        found[name] = float(np.mean(scores(strange, by_towers(towers, coder, strange, garments))))
    return {name: round(value, 4) for name, value in found.items()}


def held_out_words(vocabulary: Vocabulary) -> frozenset[str]:
    """The last English and the last Chinese word of each concept that has more than one."""
    found = set()
    for concept in vocabulary.concepts:
        words = vocabulary.words_of(concept)
        for is_english in (True, False):
            of_language = [word for word in words if word.isascii() == is_english]
            found.update(of_language[-1:] if len(of_language) > 1 else [])
    return frozenset(found)


def timed(
    towers: Towers, garments: ProductPictures, vocabulary: Vocabulary, texts: list[str], count: int
) -> dict[str, Any]:
    """A search as somebody types it, words to ten pictures, among `count`: by index and by every picture."""
    once = embedded(towers, garments.pictures[:count])
    more = embedded(towers, garments.pictures[: count - len(once), :, ::-1])
    pictures = np.concatenate([once, more])
    begun = time.process_time()
    index = GarmentIndex(pictures)
    built_s = time.process_time() - begun
    tower = WordTower.of(vocabulary, towers)
    by_index, by_all, same = [], [], 0
    for text in texts:
        begun = time.perf_counter()
        asked = tower.embed(text).embedding
        assert asked is not None
        places = index.nearest(asked[None], 10)[0][0]
        by_index.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        asked = tower.embed(text).embedding
        assert asked is not None
        cosines = pictures @ asked
        best = np.argpartition(-cosines, 10)[:10]
        by_all.append(time.perf_counter() - begun)
        same += len(np.intersect1d(places, best))
    return {
        "pictures": len(pictures),
        "index ms p50": round(1000 * float(np.median(by_index)), 3),
        "index ms p95": round(1000 * float(np.quantile(by_index, 0.95)), 3),
        "every picture ms p50": round(1000 * float(np.median(by_all)), 3),
        "ratio": round(float(np.median(by_all) / np.median(by_index)), 1),
        "recall of ten": round(same / (10 * len(texts)), 3),
        "index built cpu_s": round(built_s, 1),
    }
