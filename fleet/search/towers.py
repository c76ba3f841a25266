"""Two towers: one for pictures, one for words; what belongs together lies close on a sphere (torch)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fleet.search.looks import BACKDROP
from fleet.search.words import Vocabulary

Floats = npt.NDArray[np.float32]
LENGTH = 64
"""Numbers of an embedding."""


class Query(NamedTuple):
    """Numbers of words and of their concepts in the vocabulary, from 1, same order; a word that was not
    learnt is 0."""

    words: tuple[int, ...]
    concepts: tuple[int, ...]


class PictureTrunk(nn.Module):
    """(count, 1, 28, 28) in 0 to 1 to (count, channels, 7, 7)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolved(3, 32, 5, 2), _convolved(32, channels, 3, 2), _convolved(channels, channels, 3, 1)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """The picture, where it is garment, and how it changes from pixel to pixel go in side by side."""
        is_garment = (pictures > BACKDROP / 255).float()
        padded = functional.pad(pictures, (1, 0, 1, 0), mode="replicate")
        change = (pictures - padded[:, :, :-1, 1:]).abs() + (pictures - padded[:, :, 1:, :-1]).abs()
        found: Tensor = self.layers(torch.cat([pictures, is_garment, change], 1))
        return found


class Towers(nn.Module):
    """Both towers."""

    def __init__(self, vocabulary: Vocabulary, channels: int = 64) -> None:
        super().__init__()
        self.trunk = PictureTrunk(channels)
        self.of_picture = nn.Linear(channels * 51, LENGTH)
        self.words = nn.Embedding(len(vocabulary.words) + 1, LENGTH, padding_idx=0)
        self.concepts = nn.Embedding(len(vocabulary.concepts) + 1, LENGTH, padding_idx=0)
        self.of_words = nn.Sequential(nn.Linear(LENGTH, 128), nn.ReLU(), nn.Linear(128, LENGTH))

    def pictures(self, pictures: Tensor) -> Tensor:
        """(count, 1, 28, 28) in 0 to 1 to (count, LENGTH), each of length 1."""
        found = self.trunk(pictures)
        pooled = torch.cat([found.flatten(1), found.mean((2, 3)), found.amax((2, 3))], 1)
        return functional.normalize(self.of_picture(pooled), dim=1)

    def queries(self, words: Tensor, concepts: Tensor) -> Tensor:
        """(count, most words) of both, filled up with 0, to (count, LENGTH), each of length 1."""
        told = self.words(words).sum(1) + self.concepts(concepts).sum(1)
        return functional.normalize(self.of_words(told), dim=1)


def _convolved(before: int, after: int, size: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(before, after, size, stride, size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def as_input(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """(count, 28, 28) of bytes to what the picture tower takes."""
    return torch.from_numpy(pictures[:, None].astype(np.float32) / 255)


def filled(queries: list[Query]) -> tuple[Tensor, Tensor]:
    """What the word tower takes."""
    most = max(1, *(len(query.words) for query in queries))
    words = np.zeros((2, len(queries), most), dtype=np.int64)
    for row, query in enumerate(queries):
        words[0, row, : len(query.words)] = query.words
        words[1, row, : len(query.concepts)] = query.concepts
    return torch.from_numpy(words[0]), torch.from_numpy(words[1])


def embedded(towers: Towers, pictures: npt.NDArray[np.uint8], batch: int = 500) -> Floats:
    """(count, LENGTH)."""
    towers.eval()
    with torch.no_grad():
        parts = [
            towers.pictures(as_input(pictures[first : first + batch])).numpy()
            for first in range(0, len(pictures), batch)
        ]
    return np.concatenate(parts) if parts else np.zeros((0, LENGTH), np.float32)


def embedded_queries(towers: Towers, queries: list[Query]) -> Floats:
    """(count, LENGTH)."""
    towers.eval()
    with torch.no_grad():
        found: Floats = towers.queries(*filled(queries)).numpy()
    return found
