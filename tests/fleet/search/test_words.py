"""Garment words in two languages are read as the same concepts; a vocabulary that is none is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.search.words import vocabulary


@pytest.mark.parametrize(
    ("text", "concepts", "unknown"),
    [
        ("black jumper", ("dark", "pullover"), ()),
        ("黑色毛衣", ("dark", "pullover"), ()),
        ("Black JUMPERS", ("dark", "pullover"), ()),
        ("two dresses", ("dress",), ("two",)),  # a plural in -es
        ("running shoes", ("sneaker",), ()),  # two words, one concept
        ("t shirt", ("t-shirt",), ()),  # not a shirt
        ("修身T恤衫", ("slim", "t-shirt"), ()),  # a Latin letter within a Chinese word
        ("loose 连衣裙", ("wide", "dress"), ()),  # both languages
        ("手提包", ("bag",), ()),  # not the shorter word within it
        ("很好看的毛衣", ("pullover",), ("很好看的",)),
        ("zxy", (), ("zxy",)),
        ("", (), ()),
    ],
)
def test_words_are_read_as_concepts(text: str, concepts: tuple[str, ...], unknown: tuple[str, ...]) -> None:
    read = vocabulary().read(text)
    assert (read.concepts, read.unknown) == (concepts, unknown)
    assert len(read.words) == len(read.concepts)


def test_every_word_of_the_vocabulary_is_read_as_its_concept() -> None:
    ours = vocabulary()
    wrong = [word for word in ours.words if ours.read(word).concepts != (ours.concept_of[word],)]
    assert not wrong


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("facets: {kind: {coat: {en: [jacket]}, dress: {en: [jacket]}}}", "'jacket' is wrong"),
        ("facets: {kind: {coat: {en: [coat]}}, cut: {coat: {en: [wide]}}}", "one facet only"),
        ("facets: {kind: {coat: [coat]}}", "facets"),
        ("kinds: {}", "kinds"),
        ("", "vocabulary"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_said(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "words.yaml"
    file.write_text(text)
    with pytest.raises(FleetError, match=told):
        vocabulary(file)
