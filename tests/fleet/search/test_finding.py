"""Garments by words of their titles and by their pictures."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from fleet.errors import FleetError
from fleet.search.finding import GarmentFinder, GarmentText
from fleet.search.word_tower import WordTower
from fleet.search.words import vocabulary

GARMENTS = [
    GarmentText("A-1", "Black coat"),
    GarmentText("A-2", "Dark jacket by Mossoro"),
    GarmentText("B-1", "Light dress"),
    GarmentText("C-1", "Ankle boots"),
]


def tower(numbers: int = 8) -> WordTower:
    """Of weights by chance: each text has an embedding of its own."""
    known, chance = vocabulary(), np.random.default_rng(1)
    shapes = {
        "words": (len(known.words) + 1, 16),
        "concepts": (len(known.concepts) + 1, 16),
        "inner": (16, 16),
        "inner_bias": (16,),
        "outer": (numbers, 16),
        "outer_bias": (numbers,),
    }
    return WordTower(
        known, {name: chance.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    )


@pytest.mark.parametrize(
    ("text", "first", "count", "unknown"),
    [
        ("coats", "A-1", 1, ()),
        ("dark coat", "A-1", 2, ()),
        ("连衣裙", "B-1", 1, ()),
        ("MOSSORO jacket", "A-2", 2, ()),
        ("c-1", "C-1", 1, ()),
        ("zebra coat", "A-1", 1, ("zebra",)),
    ],
)
def test_titles_are_found_by_words_of_two_languages_names_and_numbers(
    text: str, first: str, count: int, unknown: tuple[str, ...]
) -> None:
    found = GarmentFinder(GARMENTS, vocabulary()).find(text, 10)
    assert found.skus[0] == first and len(found.skus) >= count and found.unknown == unknown


@pytest.mark.parametrize("text", ["", "zebra", "!?", "%"])
def test_what_no_title_has_finds_nothing(text: str) -> None:
    assert GarmentFinder(GARMENTS, vocabulary()).find(text, 10).skus == []


def test_a_picture_is_found_whose_title_says_nothing_of_it() -> None:
    words = tower()
    told = words.embed("black trousers").embedding
    assert told is not None
    pictures = np.stack([np.full(8, np.nan), -told, -told, told]).astype(np.float32)
    assert GarmentFinder(GARMENTS, vocabulary()).find("trousers", 10).skus == []
    found = GarmentFinder(GARMENTS, vocabulary(), words, pictures).find("black trousers", 10)
    assert found.skus == ["C-1", "A-1", "A-2"], "the picture first, then dark things by their titles"


def test_pictures_and_words_of_two_trainings_are_refused() -> None:
    with pytest.raises(FleetError, match="gives 8 numbers, the pictures have 9; take both"):
        GarmentFinder(GARMENTS, vocabulary(), tower(), np.ones((4, 9), np.float32))


def test_a_damaged_tower_is_a_fault_in_words(tmp_path: Path) -> None:
    file, bare = tmp_path / "words.npz", BytesIO()
    tower().save(file)
    assert WordTower.load(vocabulary(), file).size == 8
    whole = file.read_bytes()
    np.save(bare, np.zeros(3))
    for body in (
        b"",
        b"hello",
        whole[: len(whole) // 2],
        bare.getvalue(),
        whole[:200] + b"\0" * 9 + whole[209:],
    ):
        file.write_bytes(body)
        with pytest.raises(FleetError, match=r"words\.npz: no tower of words can be read from it"):
            WordTower.load(vocabulary(), file)
