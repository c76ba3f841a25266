"""Garments that look like one another: by embeddings of their pictures, and by what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BY_WORDS = 0.5
"""Weight of shared words beside the cosine of pictures."""


class Alike(NamedTuple):
    """Place of another garment, and how like it is: 0 to 1 + BY_WORDS."""

    place: int
    score: float


def alike(
    concepts: Sequence[frozenset[str]], embeddings: npt.NDArray[np.float32] | None, most: int
) -> list[list[Alike]]:
    """Of each garment the `most` like it, best first; none where nothing is shared.

    `embeddings` (garments, numbers), each of length 1, NaN where there is no picture. Words count by the
    share that both have of those that one has (Jaccard).
    """
    count = len(concepts)
    found = []
    for place in range(count):
        own = concepts[place]
        score = np.array([_share(own, other) for other in concepts]) * BY_WORDS
        if embeddings is not None:
            score = score + np.maximum(0, np.nan_to_num(embeddings @ embeddings[place]))
        score[place] = 0
        best = np.argsort(-score, kind="stable")[:most]
        found.append([Alike(int(other), float(score[other])) for other in best if score[other] > 0])
    return found


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0
