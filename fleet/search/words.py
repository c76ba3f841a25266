"""Garment words in English and Chinese, read as concepts: `black jumper` and `黑色毛衣` say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from fleet.errors import FleetError
from tagsight.yaml_files import read_yaml, refuse

OURS = Path(__file__).with_name("garments.yaml")
_PIECES = re.compile(r"(?P<run>(?:t(?=恤)|[\u3400-\u9fff])+)|[a-z0-9][a-z0-9'-]*")
LONGEST_WORDS = 3


class WordsRead(NamedTuple):
    """`words`: known words as the vocabulary spells them; `concepts`: theirs; `unknown`: the rest."""

    words: tuple[str, ...]
    concepts: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Vocabulary:
    """`facets`: facet -> concept -> its words, in lower case; no word stands for two concepts."""

    facets: Mapping[str, Mapping[str, tuple[str, ...]]]

    @cached_property
    def concept_of(self) -> Mapping[str, str]:
        """Word -> concept."""
        return {
            word: concept
            for concepts in self.facets.values()
            for concept, words in concepts.items()
            for word in words
        }

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words, sorted: their places are their numbers in the towers."""
        return tuple(sorted(self.concept_of))

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """All concepts in the vocabulary's order: their places are their numbers in the towers."""
        return tuple(concept for concepts in self.facets.values() for concept in concepts)

    def facet_of(self, concept: str) -> str:
        """Raises FleetError for a concept that is not there."""
        for facet, concepts in self.facets.items():
            if concept in concepts:
                return facet
        raise FleetError(f"no concept {concept!r} in the vocabulary; it has {', '.join(self.concepts)}")

    def words_of(self, concept: str) -> tuple[str, ...]:
        """In lower case, as they are read."""
        return self.facets[self.facet_of(concept)][concept]

    def read(self, text: str) -> WordsRead:
        """The longest known words from left to right; plural endings of English are taken off."""
        words: list[str] = []
        unknown: list[str] = []
        latin: list[str] = []
        for piece in _PIECES.finditer(text.lower()):
            if piece["run"] is None:
                latin.append(piece[0])
                continue
            self._read_latin(latin, words, unknown)
            latin = []
            self._read_run(piece[0], words, unknown)
        self._read_latin(latin, words, unknown)
        return WordsRead(tuple(words), tuple(self.concept_of[word] for word in words), tuple(unknown))

    def _read_latin(self, pieces: list[str], words: list[str], unknown: list[str]) -> None:
        at = 0
        while at < len(pieces):
            for length in range(min(LONGEST_WORDS, len(pieces) - at), 0, -1):
                word = self._known(" ".join(pieces[at : at + length]))
                if word is not None:
                    words.append(word)
                    at += length
                    break
            else:
                unknown.append(pieces[at])
                at += 1

    def _known(self, phrase: str) -> str | None:
        spelt = (phrase, phrase.removesuffix("s"), phrase.removesuffix("es"))
        return next((one for one in spelt if one in self.concept_of), None)

    def _read_run(self, run: str, words: list[str], unknown: list[str]) -> None:
        at, strange = 0, ""
        while at < len(run):
            word = next(
                (run[at:end] for end in range(len(run), at, -1) if run[at:end] in self.concept_of), None
            )
            if word is None:
                strange += run[at]
                at += 1
                continue
            if strange:
                unknown.append(strange)
                strange = ""
            words.append(word)
            at += len(word)
        if strange:
            unknown.append(strange)


class VocabularyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Facet -> concept -> language -> words."""

    facets: dict[str, dict[str, dict[str, list[Annotated[str, Meta(min_length=1)]]]]]


def vocabulary(file: Path = OURS) -> Vocabulary:
    """Raises FleetError where the file is no vocabulary, with its line and key."""
    found: list[Vocabulary] = []
    read_yaml(
        file,
        VocabularyFile,
        lambda told: found.append(_vocabulary(told)),
        FleetError,
        name="vocabulary",
        empty="the file has no vocabulary; facets, each with concepts and their words, would be right",
    )
    return found[0]


def _vocabulary(told: VocabularyFile) -> Vocabulary:
    owner: dict[str, str] = {}
    facet_of: dict[str, str] = {}
    for facet, concepts in told.facets.items():
        for concept, languages in concepts.items():
            key = f"facets.{facet}.{concept}"
            if facet_of.setdefault(concept, facet) != facet:
                refuse(key, concept, f"a concept of one facet only (it is in {facet_of[concept]!r} too)")
            for language, words in languages.items():
                for word in words:
                    if owner.setdefault(word.lower(), concept) != concept:
                        refuse(
                            f"{key}.{language}",
                            word,
                            f"a word of one concept only (it stands for {owner[word.lower()]!r} too)",
                        )
    return Vocabulary(
        {
            facet: {
                concept: tuple(word.lower() for words in languages.values() for word in words)
                for concept, languages in concepts.items()
            }
            for facet, concepts in told.facets.items()
        }
    )
