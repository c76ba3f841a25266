"""How well vectors find the same person again: rank-1, mean average precision, and how likenesses spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class LikenessSpread:
    """Mean and standard deviation of likenesses (cosines)."""

    mean: float = 0.0
    sd: float = 0.0

    @classmethod
    def of(cls, likenesses: NDArray[np.float32]) -> LikenessSpread:
        """All zero of none."""
        return cls(float(likenesses.mean()), float(likenesses.std())) if len(likenesses) else cls()


NO_SPREAD = LikenessSpread()


@dataclass(frozen=True)
class Retrieval:
    """Of `queries` that had an answer: the share whose first answer was right, and mean average precision;
    the likenesses of all pairs that count, of one person and of two."""

    queries: int
    rank1: float
    mean_ap: float
    same: LikenessSpread
    different: LikenessSpread


def retrieve(
    queries: Vectors, asked: Ids, gallery: Vectors, there: Ids, left_out: NDArray[np.bool_]
) -> Retrieval:
    """Each query (n, k), of person `asked` (n,), orders the gallery (m, k), of persons `there` (m,), by the
    cosine of unit vectors, without what `left_out` (n, m) says. A query without an answer does not count."""
    first: list[bool] = []
    precisions: list[float] = []
    alike, true = [np.zeros(0, np.float32)], [np.zeros(0, bool)]
    for query, person, skipped in zip(queries, asked.tolist(), left_out, strict=True):
        kept = np.flatnonzero(~skipped)
        likenesses = gallery[kept] @ query
        order = np.argsort(-likenesses, kind="stable")
        hits = there[kept][order] == person
        alike.append(likenesses[order])
        true.append(hits)
        if hits.any():
            first.append(bool(hits[0]))
            ranks = np.flatnonzero(hits) + 1
            precisions.append(float((np.arange(1, len(ranks) + 1) / ranks).mean()))
    pairs, right = np.concatenate(alike), np.concatenate(true)
    return Retrieval(
        len(first),
        float(np.mean(first)) if first else 0.0,
        float(np.mean(precisions)) if precisions else 0.0,
        LikenessSpread.of(pairs[right]),
        LikenessSpread.of(pairs[~right]),
    )
