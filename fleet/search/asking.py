"""Queries that a described picture answers: a kind and up to two looks, in one language."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleet.search.looks import Described
from fleet.search.words import Vocabulary

MOST_LOOKS = 2


class Asking:
    """Draws what people would type who want a picture like one that is described.

    `held_out`: of each concept, words that are never drawn (in lower case).
    """

    def __init__(self, vocabulary: Vocabulary, held_out: frozenset[str] = frozenset()) -> None:
        self.vocabulary = vocabulary
        self._is_kind = np.array(
            [vocabulary.facet_of(concept) == "kind" for concept in vocabulary.concepts], dtype=bool
        )
        words: list[tuple[list[str], list[str]]] = []
        for concept in vocabulary.concepts:
            known = [word for word in vocabulary.words_of(concept) if word not in held_out]
            words.append(([w for w in known if w.isascii()], [w for w in known if not w.isascii()]))
        self._words = words

    def wanted(self, description: npt.NDArray[np.bool_], drawn: np.random.Generator) -> tuple[int, ...]:
        """Numbers of concepts that hold: the kind, and none to two of the looks."""
        kind = np.flatnonzero(description & self._is_kind)
        looks = np.flatnonzero(description & ~self._is_kind)
        count = min(len(looks), int(drawn.integers(0, MOST_LOOKS + 1)))
        return (*map(int, drawn.permutation(looks)[:count]), *map(int, kind[:1]))

    def said(self, wanted: tuple[int, ...], drawn: np.random.Generator) -> str:
        """The concepts as words of one language, in their order; English is drawn as often as Chinese."""
        language = int(drawn.integers(2))
        words = []
        for concept in wanted:
            choice = self._words[concept][language] or self._words[concept][1 - language]
            words.append(choice[int(drawn.integers(len(choice)))])
        return "".join(words) if language and not any(w.isascii() for w in words) else " ".join(words)


def answers(wanted: tuple[int, ...], described: Described) -> npt.NDArray[np.bool_]:
    """Which pictures hold all that is wanted."""
    found: npt.NDArray[np.bool_] = np.all(described[:, list(wanted)], axis=1)
    return found
