"""The tower of words without torch: what a search box needs while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.errors import FleetError
from fleet.search.npz import UNREADABLE_NPZ
from fleet.search.words import Vocabulary

if TYPE_CHECKING:
    from fleet.search.towers import Towers

Floats = npt.NDArray[np.float32]
PARTS = ("words", "concepts", "inner", "inner_bias", "outer", "outer_bias")


class Found(NamedTuple):
    """`embedding` (numbers,) of length 1, or None where no word is known; `unknown`: words that are not."""

    embedding: Floats | None
    unknown: tuple[str, ...]


class WordTower:
    """Text to an embedding that lies near the pictures it describes. Errors: FleetError."""

    def __init__(self, vocabulary: Vocabulary, parts: dict[str, Floats]) -> None:
        wanted = (len(vocabulary.words) + 1, len(vocabulary.concepts) + 1)
        found = tuple(len(parts[name]) for name in ("words", "concepts"))
        if found != wanted:
            raise FleetError(
                f"the towers know {found[0] - 1} words of {found[1] - 1} concepts, the vocabulary has"
                f" {wanted[0] - 1} of {wanted[1] - 1}; train them anew with this vocabulary"
            )
        self._vocabulary = vocabulary
        self._parts = parts
        self._word = {word: place + 1 for place, word in enumerate(vocabulary.words)}
        self._concept = {concept: place + 1 for place, concept in enumerate(vocabulary.concepts)}

    @classmethod
    def of(cls, vocabulary: Vocabulary, towers: Towers) -> WordTower:
        """Of towers that were trained with all of the vocabulary's words."""
        state = towers.state_dict()
        names = (
            "words.weight",
            "concepts.weight",
            "of_words.0.weight",
            "of_words.0.bias",
            "of_words.2.weight",
            "of_words.2.bias",
        )
        return cls(vocabulary, {part: state[name].numpy() for part, name in zip(PARTS, names, strict=True)})

    @classmethod
    def load(cls, vocabulary: Vocabulary, file: Path) -> WordTower:
        """What `save` wrote."""
        try:
            with np.load(file, allow_pickle=False) as held:
                return cls(vocabulary, {part: held[part] for part in PARTS})
        except UNREADABLE_NPZ as error:
            raise FleetError(f"{file}: no tower of words can be read from it: {error}") from None

    @property
    def size(self) -> int:
        """Numbers of an embedding."""
        return len(self._parts["outer_bias"])

    def save(self, file: Path) -> None:
        """As .npz."""
        with file.open("wb") as out:
            np.savez(out, allow_pickle=False, **self._parts)

    def embed(self, text: str) -> Found:
        """Words that are not known are said."""
        read = self._vocabulary.read(text)
        if not read.words:
            return Found(None, read.unknown)
        parts = self._parts
        told = parts["words"][[self._word[word] for word in read.words]].sum(0) + parts["concepts"][
            [self._concept[concept] for concept in read.concepts]
        ].sum(0)
        inner = np.maximum(0, parts["inner"] @ told + parts["inner_bias"])
        found = parts["outer"] @ inner + parts["outer_bias"]
        return Found((found / np.linalg.norm(found)).astype(np.float32), read.unknown)
