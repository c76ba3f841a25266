"""What goes with what: how often one is taken where the other is, damped by how often it is taken anyway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

DAMPING = 0.3
UNSURE = 10.0
"""Added to how often a garment was taken: few cases say little."""


class Pairs(NamedTuple):
    """`score` (garments, garments), sparse: row goes with column; `taken`: baskets with each garment."""

    score: sp.csr_matrix
    taken: npt.NDArray[np.float64]

    def of(self, known: Sequence[int]) -> npt.NDArray[np.float64]:
        """How well every garment goes with those known, summed; 0 for those themselves."""
        found: npt.NDArray[np.float64] = np.asarray(self.score[list(known)].sum(0), dtype=float).ravel()
        found[list(known)] = 0
        return found

    def of_or_popular(self, known: Sequence[int]) -> npt.NDArray[np.float64]:
        """The same; below everything that goes with them stands what is taken often, for cold garments."""
        found = self.of(known)
        least = found[found > 0].min() if (found > 0).any() else 1.0
        floor = np.where(found > 0, 0, self.taken / max(1.0, self.taken.max()) * least / 2)
        floor[list(known)] = 0
        raised: npt.NDArray[np.float64] = found + floor
        return raised


def pairs(
    baskets: npt.NDArray[np.intp],
    garments: npt.NDArray[np.intp],
    count: int,
    damping: float = DAMPING,
    unsure: float = UNSURE,
) -> Pairs:
    """Row i says that basket `baskets[i]` holds garment `garments[i]` of `count`; a basket is what one
    visitor tried on, handled, or bought at once.

    score(a, b) = n(a, b) / (n(a) + unsure) / n(b) ** damping: the share of a's baskets that hold b too.
    """
    numbers, rows = np.unique(baskets, return_inverse=True)
    held = sp.csr_matrix((np.ones(len(rows)), (rows, garments)), shape=(len(numbers), count))
    held.data[:] = 1
    taken = np.asarray(held.sum(0), dtype=float).ravel()
    both = sp.csr_matrix(held.T @ held)
    score = sp.diags(1 / (taken + unsure)) @ both @ sp.diags(1 / np.maximum(taken, 1) ** damping)
    return Pairs(sp.csr_matrix(score), taken)
