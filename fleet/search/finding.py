"""A retailer's garments by words: of their titles, and by towers that were trained on their pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.errors import FleetError
from fleet.search.word_tower import WordTower
from fleet.search.words import Vocabulary

BY_WORDS = 0.5
"""Weight of wanted words that a title has beside the cosine of its picture."""


class GarmentText(NamedTuple):
    """An article, and what is said of it."""

    sku: str
    text: str


class FoundGarments(NamedTuple):
    """The best first. `unknown`: words that are in no title and that the vocabulary does not know."""

    skus: list[str]
    unknown: tuple[str, ...]


class GarmentFinder:
    """Any number of threads may ask."""

    def __init__(
        self,
        garments: Sequence[GarmentText],
        known: Vocabulary,
        tower: WordTower | None = None,
        embeddings: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """`embeddings` (garments, numbers), each of length 1, NaN without a picture; made with `tower`.

        Raises FleetError where their numbers differ.
        """
        self._skus = [one.sku for one in garments]
        self._known = known
        self._tower = tower
        self._embeddings = None if embeddings is None else np.nan_to_num(embeddings)
        if tower is not None and embeddings is not None and tower.size != embeddings.shape[1]:
            raise FleetError(
                f"the words' tower gives {tower.size} numbers, the pictures have {embeddings.shape[1]};"
                " take both from one run of tagsight fleet embeddings"
            )
        self._having: dict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(garments):
            for word in self._words(one.text) | {one.sku.casefold()}:
                self._having[word].append(place)

    def _words(self, text: str) -> set[str]:
        """Concepts, and what is none as it is written."""
        read = self._known.read(text)
        return {*(f"={concept}" for concept in read.concepts), *read.unknown}

    def find(self, text: str, most: int) -> FoundGarments:
        """At most so many."""
        wanted = self._words(text)
        score = np.zeros(len(self._skus))
        for word in wanted:
            score[self._having.get(word, [])] += BY_WORDS / len(wanted)
        if whole := self._having.get(text.strip().casefold()):
            score[whole] += 1.0
        if self._tower is not None and self._embeddings is not None:
            told = self._tower.embed(text).embedding
            if told is not None:
                score += np.maximum(0, self._embeddings @ told)
        best = np.argsort(-score, kind="stable")[:most]
        unknown = tuple(word for word in self._known.read(text).unknown if word not in self._having)
        return FoundGarments([self._skus[place] for place in best if score[place] > 0], unknown)
