"""Lists of candidates as in a contest: five that answer, twelve alike, thirteen others, shuffled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleet.search.asking import Asking, answers
from fleet.search.looks import Described

RIGHT, ALIKE, OTHER = 5, 12, 13
SEEN_AT_ONCE = 6000
SHOP = 1500
"""Pictures of a shop: each stands in several lists."""


class Lists(NamedTuple):
    """`texts`: what is asked; `wanted`: its concepts; `candidates` and `is_right` (lists, candidates)."""

    texts: list[str]
    wanted: list[tuple[int, ...]]
    candidates: npt.NDArray[np.intp]
    is_right: npt.NDArray[np.bool_]


def drawn_lists(
    rows: npt.NDArray[np.intp],
    described: Described,
    asking: Asking,
    count: int,
    seed: int,
    is_shop: bool = False,
) -> Lists:
    """`count` queries of a kind and a look or two, with candidates among `rows`; of a shop: 1,500 of them."""
    drawn = np.random.default_rng(seed)
    shop = drawn.choice(rows, min(SHOP, len(rows)), replace=False)
    texts: list[str] = []
    all_wanted: list[tuple[int, ...]] = []
    candidates, is_right = [], []
    while len(texts) < count:
        wanted = asking.wanted(described[drawn.choice(rows)], drawn)
        if len(wanted) < 2:
            continue
        seen = shop if is_shop else drawn.choice(rows, min(SEEN_AT_ONCE, len(rows)), replace=False)
        right = answers(wanted, described[seen])
        of_kind = answers(wanted[-1:], described[seen])
        alike, other = of_kind & ~right, ~of_kind
        if right.sum() < RIGHT or alike.sum() < ALIKE:
            continue
        parts = zip((right, alike, other), (RIGHT, ALIKE, OTHER), strict=True)
        chosen = np.concatenate([drawn.choice(seen[part], size, replace=False) for part, size in parts])
        order = drawn.permutation(len(chosen))
        texts.append(asking.said(wanted, drawn))
        all_wanted.append(wanted)
        candidates.append(chosen[order])
        is_right.append((np.arange(len(chosen)) < RIGHT)[order])
    return Lists(texts, all_wanted, np.stack(candidates), np.stack(is_right))


def of_one_query_each(lists: Lists) -> Lists:
    """The contest's world: a picture is right for the first query that it answers and for no other."""
    is_right, taken = lists.is_right.copy(), set()
    for row, column in zip(*np.nonzero(lists.is_right), strict=True):
        picture = int(lists.candidates[row, column])
        is_right[row, column] = picture not in taken
        taken.add(picture)
    kept = is_right.any(1)
    return Lists(
        [text for text, keep in zip(lists.texts, kept, strict=True) if keep],
        [wanted for wanted, keep in zip(lists.wanted, kept, strict=True) if keep],
        lists.candidates[kept],
        is_right[kept],
    )


def titles(rows: npt.NDArray[np.intp], described: Described, asking: Asking, seed: int) -> dict[int, str]:
    """What a retailer's catalogue calls each picture: a word for its kind, in one of the languages."""
    drawn = np.random.default_rng(seed)
    return {int(row): asking.said((int(described[row].argmax()),), drawn) for row in rows}
