"""Training of the two towers on pictures with descriptions: minutes on one core (torch)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from fleet.search.asking import Asking
from fleet.search.looks import Described, Pictures
from fleet.search.losses import margin_softmax, multi_similarity
from fleet.search.towers import Query, Towers, as_input, filled
from fleet.search.words import Vocabulary

HARD_KINDS = 2
"""Kinds that a batch of hard negatives is drawn from."""
CLIP = 2.0


class TowerRecipe(NamedTuple):
    """`loss`: `margin`, `softmax` or `multi-similarity`; `hard`: every second batch is of two kinds only.

    `forgotten`: share of words that are learnt by their concept alone.
    """

    steps: int = 2500
    batch: int = 256
    rate: float = 3e-3
    loss: str = "margin"
    hard: bool = True
    forgotten: float = 0.5


class Coder:
    """Text to numbers of words and concepts; words that no training saw are 0, their concept serves."""

    def __init__(
        self, vocabulary: Vocabulary, held_out: frozenset[str] = frozenset(), by_concept: bool = True
    ) -> None:
        self._vocabulary = vocabulary
        self._word = {w: place + 1 for place, w in enumerate(vocabulary.words) if w not in held_out}
        self._concept = {c: place + 1 for place, c in enumerate(vocabulary.concepts)} if by_concept else {}

    def coded(self, text: str) -> Query:
        """Unknown words are left out."""
        read = self._vocabulary.read(text)
        return Query(
            tuple(self._word.get(word, 0) for word in read.words),
            tuple(self._concept.get(concept, 0) for concept in read.concepts),
        )


def trained(
    pictures: Pictures,
    described: Described,
    vocabulary: Vocabulary,
    recipe: TowerRecipe,
    seed: int,
    held_out: frozenset[str] = frozenset(),
    by_concept: bool = True,
) -> Towers:
    """Towers from pictures and descriptions alone; a query is drawn from a picture's description each time.

    In a batch every picture that holds all that a query wants belongs to it, so no negative is a wrong one.
    """
    torch.manual_seed(seed)
    drawn = np.random.default_rng(seed)
    towers, asking = Towers(vocabulary), Asking(vocabulary, held_out)
    coder = Coder(vocabulary, held_out, by_concept)
    kinds = described.argmax(1)
    by_kind = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    optimiser = torch.optim.AdamW(towers.parameters(), recipe.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, recipe.steps, pct_start=0.1)
    towers.train()
    for step in range(recipe.steps):
        rows = _batch(by_kind, len(pictures), recipe, drawn, step)
        wanted = [asking.wanted(described[row], drawn) for row in rows]
        queries = [
            _forgetting(coder.coded(asking.said(one, drawn)), recipe.forgotten, drawn) for one in wanted
        ]
        belongs = torch.from_numpy(_belongs(wanted, described[rows]))
        cosines = (
            towers.queries(*filled(queries)) @ towers.pictures(_moved(as_input(pictures[rows]), drawn)).T
        )
        if recipe.loss == "multi-similarity":
            loss = multi_similarity(cosines, belongs)
        else:
            loss = margin_softmax(cosines, belongs, 0.1 if recipe.loss == "margin" else 0.0)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(towers.parameters(), CLIP)
        optimiser.step()
        schedule.step()
    return towers


def _batch(
    by_kind: list[npt.NDArray[np.intp]],
    count: int,
    recipe: TowerRecipe,
    drawn: np.random.Generator,
    step: int,
) -> npt.NDArray[np.intp]:
    if not recipe.hard or step % 2 == 0 or len(by_kind) < HARD_KINDS:
        return drawn.integers(0, count, recipe.batch)
    kinds = drawn.choice(len(by_kind), HARD_KINDS, replace=False)
    return np.concatenate([drawn.choice(by_kind[kind], recipe.batch // HARD_KINDS) for kind in kinds])


def _belongs(wanted: list[tuple[int, ...]], described: Described) -> npt.NDArray[np.bool_]:
    asked = np.zeros((len(wanted), described.shape[1]), dtype=np.float32)
    for row, one in enumerate(wanted):
        asked[row, list(one)] = 1
    held = asked @ described.T.astype(np.float32)
    found: npt.NDArray[np.bool_] = held >= asked.sum(1, keepdims=True)
    return found


def _forgetting(query: Query, share: float, drawn: np.random.Generator) -> Query:
    kept = drawn.random(len(query.words)) >= share
    return query._replace(words=tuple(w if k else 0 for w, k in zip(query.words, kept, strict=True)))


def _moved(pictures: torch.Tensor, drawn: np.random.Generator) -> torch.Tensor:
    """Half of the batches mirrored: what is worn looks the same."""
    return pictures.flip(3) if drawn.random() < 0.5 else pictures
