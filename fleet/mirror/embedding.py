"""Embeddings of a retailer's own pictures: the towers are trained on them and on their titles (torch)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from fleet.errors import FleetError
from fleet.mirror.building import listed
from fleet.search.looks import Described, Pictures, described, measured
from fleet.search.words import Vocabulary, vocabulary

SIDE = 28
FEWEST = 200
"""Pictures whose title names a kind; with fewer there is nothing to learn from."""


class OwnPictures(NamedTuple):
    """`pictures` (count, 28, 28), the backdrop 0; `described` what titles and looks say; `is_told` where the
    title, or the column `kind`, has a kind of the vocabulary."""

    skus: list[str]
    pictures: Pictures
    described: Described
    is_told: npt.NDArray[np.bool_]


def own_pictures(garments: Path, words: Vocabulary | None = None) -> OwnPictures:
    """All garments of the list that have a picture. Raises FleetError."""
    known = words or vocabulary()
    skus, pictures, said = [], [], []
    for garment, name in listed(garments):
        if name:
            skus.append(garment.sku)
            pictures.append(small(garments.parent / name))
            said.append(known.read(f"{garment.title} {garment.kind}").concepts)
    if not pictures:
        raise FleetError(f"{garments}: no garment in it has a picture")
    number = {concept: place for place, concept in enumerate(known.concepts)}
    kinds = [next((number[one] for one in each if known.facet_of(one) == "kind"), -1) for each in said]
    is_told = np.array(kinds) >= 0
    stacked = np.stack(pictures)
    found = np.zeros((len(skus), len(known.concepts)), dtype=bool)
    if is_told.any():
        found[is_told] = described(measured(stacked[is_told]), np.array(kinds)[is_told], known)
    for row, each in enumerate(said):
        found[row, [number[one] for one in each if known.facet_of(one) != "kind"]] = True
    return OwnPictures(skus, stacked, found, is_told)


def small(file: Path) -> npt.NDArray[np.uint8]:
    """Grey, 28 x 28, the backdrop dark: what the towers take. Raises FleetError for what is no picture."""
    try:
        raw = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        raise FleetError(f"{file}: the picture cannot be read ({error.strerror})") from None
    found = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE) if len(raw) else None
    if found is None:
        raise FleetError(f"{file}: no picture that can be decoded")
    border = np.concatenate([found[0], found[-1], found[:, 0], found[:, -1]])
    if np.median(border) > 127:
        found = 255 - found
    height, width = found.shape
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrunk = cv2.resize(found, size, interpolation=cv2.INTER_AREA)
    placed = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    placed[top : top + size[1], left : left + size[0]] = shrunk
    return placed


def learn(garments: Path, out: Path, words_out: Path | None, steps: int) -> tuple[int, int]:
    """Train on the list, write embeddings (and the words' tower); how many were embedded, and learnt from.

    Raises FleetError without torch, or where too few titles name a kind.
    """
    known = vocabulary()
    own = own_pictures(garments, known)
    told = int(own.is_told.sum())
    if told < FEWEST:
        raise FleetError(
            f"{garments}: {told} pictures have a title with a kind of garment that the vocabulary knows;"
            f" {FEWEST} are needed"
        )
    try:
        import torch

        from fleet.search.towers import embedded
        from fleet.search.training import TowerRecipe, trained
        from fleet.search.word_tower import WordTower
    except ImportError as error:
        raise FleetError("embeddings need pip install 'tagsight[train]'") from error
    torch.set_num_threads(1)
    recipe = TowerRecipe(steps=steps)
    towers = trained(own.pictures[own.is_told], own.described[own.is_told], known, recipe, 0)
    try:
        with out.open("wb") as file:
            np.savez(file, sku=np.array(own.skus), embedding=embedded(towers, own.pictures))
        if words_out is not None:
            WordTower.of(known, towers).save(words_out)
    except OSError as error:
        raise FleetError(f"{out}: cannot be written ({error.strerror})") from None
    return len(own.skus), told
