"""What a mirror shows beside the garment that is tried on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from fleet.mirror.catalogue import ALIKE, WITH, Catalogue, CatalogueGarment
from fleet.mirror.interleaving import interleaved

SHOWN = 4
RANKERS = ("popular", "together")


class Suggestion(NamedTuple):
    """A garment and the way by which it was chosen."""

    garment: CatalogueGarment
    ranker: str


class Screen(NamedTuple):
    """All that a room's screen shows."""

    garment: CatalogueGarment
    others: tuple[CatalogueGarment, ...]
    alike: tuple[Suggestion, ...]
    goes_with: tuple[Suggestion, ...]


def screen(
    catalogue: Catalogue,
    shown: Sequence[str],
    tried: Iterable[str],
    compared: random.Random | None = None,
) -> Screen | None:
    """`shown` are the articles in the room, the last to come first. None where the catalogue knows none.

    What is out of stock or was tried already is left out. With `compared` what goes with the garment is
    interleaved with what is popular, so that their taps can be counted against each other.
    """
    known = [garment for sku in shown if (garment := catalogue.garment(sku)) is not None]
    if not known:
        return None
    garment = known[0]
    left_out = {*tried, *shown}
    alike = tuple(
        Suggestion(one, "alike") for one in _first(catalogue, catalogue.beside(garment.sku, ALIKE), left_out)
    )
    left_out.update(one.garment.sku for one in alike)
    together, popular = _together(catalogue, shown), catalogue.popular(SHOWN * 4)
    if compared is None:
        ways = dict.fromkeys(together, "together") | {
            sku: "popular" for sku in popular if sku not in together
        }
        order = list(ways)
    else:
        by_pairs = _in_shop(catalogue, [*together, *popular], left_out)
        mixed = interleaved(_in_shop(catalogue, popular, left_out), by_pairs, SHOWN, compared)
        ways = {sku: RANKERS[team] for sku, team in zip(mixed.shown, mixed.team, strict=True)}
        order = list(mixed.shown)
    goes_with = tuple(Suggestion(one, ways[one.sku]) for one in _first(catalogue, order, left_out))
    return Screen(garment, tuple(known[1:]), alike, goes_with)


def _together(catalogue: Catalogue, shown: Sequence[str]) -> list[str]:
    """By all that hangs in the room: the lists of each in turn, so that none drowns the others."""
    lists = [catalogue.beside(sku, WITH) for sku in shown]
    most = max((len(one) for one in lists), default=0)
    found = [one[place] for place in range(most) for one in lists if place < len(one)]
    return list(dict.fromkeys(found))


def _in_shop(catalogue: Catalogue, skus: Iterable[str], left_out: set[str]) -> list[str]:
    return [
        sku
        for sku in dict.fromkeys(skus)
        if sku not in left_out and (garment := catalogue.garment(sku)) is not None and garment.in_stock
    ]


def _first(catalogue: Catalogue, skus: Iterable[str], left_out: set[str]) -> list[CatalogueGarment]:
    garment: Callable[[str], CatalogueGarment | None] = catalogue.garment
    return [one for sku in _in_shop(catalogue, skus, left_out)[:SHOWN] if (one := garment(sku)) is not None]
