"""One stream: a transformer that mixes words and patches from the start and says whether they belong (torch).

It has to run for every pair of query and picture, so it could only order a short list that the towers made.
It stands here and not in `fleet.search` because it is worse than they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fleet.search.asking import Asking, answers
from fleet.search.looks import Described, Pictures
from fleet.search.towers import LENGTH, Floats, PictureTrunk, Query, Towers, as_input, filled
from fleet.search.training import CLIP, Coder
from fleet.search.words import Vocabulary

GRID = 4
HEADS = 4
LAYERS = 2


class OneStream(nn.Module):
    """Starts with the trunk and the words that the towers learnt."""

    def __init__(self, vocabulary: Vocabulary, towers: Towers, channels: int = 64) -> None:
        super().__init__()
        self.trunk = PictureTrunk(channels)
        self.patches = nn.Linear(channels, LENGTH)
        self.words = nn.Embedding(len(vocabulary.words) + 1, LENGTH, padding_idx=0)
        self.concepts = nn.Embedding(len(vocabulary.concepts) + 1, LENGTH, padding_idx=0)
        for part in ("trunk", "words", "concepts"):
            getattr(self, part).load_state_dict(getattr(towers, part).state_dict())
        self.first = nn.Parameter(torch.zeros(1, 1, LENGTH))
        self.places = nn.Parameter(torch.randn(1, GRID * GRID, LENGTH) * 0.02)
        self.sides = nn.Parameter(torch.randn(2, LENGTH) * 0.02)
        layer = nn.TransformerEncoderLayer(
            LENGTH, HEADS, 2 * LENGTH, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.mixed = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.judged = nn.Sequential(nn.LayerNorm(LENGTH), nn.Linear(LENGTH, 1))

    def pictures(self, pictures: Tensor) -> Tensor:
        """(count, 1, 28, 28) to patches (count, GRID * GRID, LENGTH): the part that a picture needs once."""
        found = functional.adaptive_avg_pool2d(self.trunk(pictures), GRID).flatten(2).transpose(1, 2)
        patches: Tensor = self.patches(found) + self.places + self.sides[1]
        return patches

    def forward(self, patches: Tensor, words: Tensor, concepts: Tensor) -> Tensor:
        """Of each pair of patches and query (same count): the logit that they belong together."""
        told = self.words(words) + self.concepts(concepts) + self.sides[0]
        tokens = torch.cat([self.first.expand(len(told), -1, -1), told, patches], 1)
        empty = torch.zeros(tokens.shape[:2], dtype=torch.bool)
        empty[:, 1 : 1 + words.shape[1]] = (words == 0) & (concepts == 0)
        found: Tensor = self.judged(self.mixed(tokens, src_key_padding_mask=empty)[:, 0])[:, 0]
        return found


class StreamRecipe(NamedTuple):
    """`hard`: share of negatives whose picture is of the kind that the query names."""

    steps: int = 400
    batch: int = 64
    rate: float = 2e-3
    hard: float = 0.6


def trained_stream(
    pictures: Pictures,
    described: Described,
    vocabulary: Vocabulary,
    towers: Towers,
    recipe: StreamRecipe,
    seed: int,
    held_out: frozenset[str] = frozenset(),
) -> OneStream:
    """Pairs that belong, and as many whose query is another picture's, which this one does not answer."""
    torch.manual_seed(seed)
    drawn = np.random.default_rng(seed)
    stream = OneStream(vocabulary, towers)
    asking, coder = Asking(vocabulary, held_out), Coder(vocabulary, held_out)
    kinds = described.argmax(1)
    by_kind = {int(kind): np.flatnonzero(kinds == kind) for kind in np.unique(kinds)}
    optimiser = torch.optim.AdamW(stream.parameters(), recipe.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, recipe.steps, pct_start=0.1)
    labels = torch.cat([torch.ones(recipe.batch), torch.zeros(recipe.batch)])
    stream.train()
    for _ in range(recipe.steps):
        rows = drawn.integers(0, len(pictures), recipe.batch)
        right = [asking.wanted(described[row], drawn) for row in rows]
        wrong = []
        for row in rows:
            others = by_kind[int(kinds[row])] if drawn.random() < recipe.hard else None
            wrong.append(_not_answered(described, int(row), others, asking, drawn))
        queries = [coder.coded(asking.said(one, drawn)) for one in (*right, *wrong)]
        patches = stream.pictures(as_input(pictures[rows]))
        logits = stream(torch.cat([patches, patches]), *filled(queries))
        loss = functional.binary_cross_entropy_with_logits(logits, labels)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(stream.parameters(), CLIP)
        optimiser.step()
        schedule.step()
    return stream


def _not_answered(
    described: Described,
    row: int,
    others: npt.NDArray[np.intp] | None,
    asking: Asking,
    drawn: np.random.Generator,
) -> tuple[int, ...]:
    """What another picture, of `others` or of all, answers and this one does not."""
    while True:
        other = int(drawn.choice(others)) if others is not None else int(drawn.integers(len(described)))
        wanted = asking.wanted(described[other], drawn)
        if not answers(wanted, described[row : row + 1])[0]:
            return wanted


def judged(
    stream: OneStream, pictures: Pictures, candidates: npt.NDArray[np.intp], queries: list[Query]
) -> Floats:
    """(lists, candidates): the logit of each query with each of its candidates."""
    stream.eval()
    found = np.zeros(candidates.shape, np.float32)
    words, concepts = filled(queries)
    with torch.no_grad():
        for row, list_of in enumerate(candidates):
            patches = stream.pictures(as_input(pictures[list_of]))
            count = len(list_of)
            found[row] = stream(
                patches, words[row].expand(count, -1), concepts[row].expand(count, -1)
            ).numpy()
    return found
