"""How well vectors find the same person again: rank-1 and mean average precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Retrieval:
    """Of `queries` that had an answer: the share whose first answer was right, and mean average precision."""

    queries: int
    rank1: float
    mean_ap: float


def retrieve(
    queries: Vectors, asked: Ids, gallery: Vectors, there: Ids, left_out: NDArray[np.bool_]
) -> Retrieval:
    """Each query (n, k), of person `asked` (n,), orders the gallery (m, k), of persons `there` (m,), by the
    cosine of unit vectors, without what `left_out` (n, m) says. A query without an answer does not count."""
    first: list[bool] = []
    precisions: list[float] = []
    for query, person, skipped in zip(queries, asked.tolist(), left_out, strict=True):
        kept = np.flatnonzero(~skipped)
        order = np.argsort(-(gallery[kept] @ query), kind="stable")
        hits = there[kept][order] == person
        if hits.any():
            first.append(bool(hits[0]))
            ranks = np.flatnonzero(hits) + 1
            precisions.append(float((np.arange(1, len(ranks) + 1) / ranks).mean()))
    if not first:
        return Retrieval(0, 0.0, 0.0)
    return Retrieval(len(first), float(np.mean(first)), float(np.mean(precisions)))
