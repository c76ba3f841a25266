"""Lists of candidates: how good an order is, several matchers added up, what a contest did after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
FIRST = 5


def ndcg(scores: Floats, is_right: npt.NDArray[np.bool_], first: int = FIRST) -> float:
    """Normalised discounted gain of the `first` best (Jarvelin and Kekalainen 2002); NaN where none is right.

    Candidates of one score keep the order that they are given in: shuffle them before.
    """
    right = int(is_right.sum())
    if not right:
        return float("nan")
    order = np.argsort(-scores, kind="stable")[:first]
    gains = 1 / np.log2(np.arange(2, first + 2))
    return float((is_right[order] * gains[: len(order)]).sum() / gains[: min(first, right)].sum())


def standardised(scores: Floats) -> Floats:
    """All lists of a matcher together with mean 0 and deviation 1, so that matchers can be added."""
    found: Floats = (scores - scores.mean()) / max(float(scores.std()), 1e-9)
    return found


def fused(one: Floats, other: Floats, weight: float) -> Floats:
    """`weight` of the one and the rest of the other, both standardised."""
    return weight * standardised(one) + (1 - weight) * standardised(other)


def best_weight(
    one: Floats, other: Floats, is_right: Sequence[npt.NDArray[np.bool_]], weights: Sequence[float]
) -> float:
    """By grid search over `weights` on lists that are kept for it: (lists, candidates) of scores."""

    def score(weight: float) -> float:
        both = fused(one, other, weight)
        return float(np.nanmean([ndcg(*each) for each in zip(both, is_right, strict=True)]))

    return max(weights, key=score)


def only_best(
    scores: Floats, candidates: npt.NDArray[np.intp], least_lead: float | None = None
) -> npt.NDArray[np.bool_]:
    """Which pairs stay where a picture is given to its best query only. Off in a shop: see `docs/search.md`.

    With `least_lead` a picture whose best score is not so far ahead of its second is taken off every list.
    `scores` and `candidates` are (lists, candidates); a picture may stand in several lists.
    """
    where: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row, column in np.ndindex(candidates.shape):
        where[int(candidates[row, column])].append((row, column))
    keep = np.ones(scores.shape, dtype=bool)
    for places in where.values():
        if len(places) < 2:
            continue
        ranked = sorted(places, key=lambda place: -scores[place])
        is_clear = least_lead is None or scores[ranked[0]] - scores[ranked[1]] > least_lead
        for place in ranked[1:] if is_clear else ranked:
            keep[place] = False
    return keep
