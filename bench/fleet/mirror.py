"""`tagsight bench mirror`."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import click
import msgspec
import numpy as np
import numpy.typing as npt

from bench.fleet.groceries import NO_GOODS, table
from bench.fleet.screens import latency
from fleet.errors import FleetError
from fleet.mirror.interleaving import interleaved
from fleet.mirror.together import Pairs, pairs

FEWEST = 30
"""Baskets that an article must be in to be shown at all."""
LEARNT = 0.8
"""Share of all rows, the first in time, that is learnt from."""
KNOWN = 3
"""Things that are known of a basket, as after two or three garments tried on."""
SHOWN = 5
RESAMPLED = 1000


class Baskets(NamedTuple):
    """Rows of (basket, article), numbered, in order of time; `learnt` are the first."""

    basket: npt.NDArray[np.intp]
    article: npt.NDArray[np.intp]
    learnt: npt.NDArray[np.bool_]
    articles: int


class BasketQuestion(NamedTuple):
    """What is known of a later basket, one thing to find, and all the rest of it."""

    known: npt.NDArray[np.intp]
    hidden: int
    rest: npt.NDArray[np.intp]


@click.command()
@click.option("--questions", type=click.IntRange(50, 100_000), default=4000, show_default=True)
@click.option("--quick", is_flag=True, help="300 questions, three events.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def mirror(questions: int, quick: bool, as_json: bool) -> None:
    """What goes with what on real baskets against popularity, two rankers interleaved, event to screen.

    \b
    Example:
      tagsight bench mirror --quick
    """
    found: dict[str, Any] = {}

    def told(part: str, result: Any) -> None:
        found[part] = result
        if not as_json:
            click.echo(f"{part:18} {msgspec.json.encode(result).decode()}")

    baskets = real_baskets()
    asked = list(_questions(baskets, 300 if quick else questions))
    told("baskets", {"articles": baskets.articles, "questions": len(asked), "known": KNOWN})
    company = pairs(baskets.basket[baskets.learnt], baskets.article[baskets.learnt], baskets.articles)
    undamped = pairs(baskets.basket[baskets.learnt], baskets.article[baskets.learnt], baskets.articles, 0.0)
    ranks = _ranks(asked, company, undamped)
    for name, rank in ranks.items():
        told(name, _scores(rank))
    told("to popularity", _ratios(ranks["together, damped"], ranks["popularity"]))
    told("interleaved", _interleaved(asked, company))
    try:
        told("event to screen", latency(3 if quick else 40))
    except FleetError as error:
        click.echo(f"event to screen    not run: {error}", err=True)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())


def real_baskets() -> Baskets:
    """Articles of at least 30 baskets. Raises FleetError where the package is not installed."""
    goods = table("products", "product_id, department")
    left_out = goods["product_id"][np.isin(goods["department"].astype(str), NO_GOODS)]
    rows = table("transactions", "basket_id, product_id, epoch(transaction_timestamp) AS at_s")
    order = np.lexsort((rows["product_id"], rows["basket_id"], rows["at_s"]))
    basket, article = rows["basket_id"][order], rows["product_id"][order]
    both = np.unique(np.stack([basket, article], 1), axis=0, return_index=True)[1]
    kept = np.sort(both)
    kept = kept[~np.isin(article[kept], left_out)]
    _, place, count = np.unique(article[kept], return_inverse=True, return_counts=True)
    often = count >= FEWEST
    number = np.cumsum(often) - 1
    kept, place = kept[often[place]], place[often[place]]
    at_s = rows["at_s"][order][kept]
    _, basket_number = np.unique(basket[kept], return_inverse=True)
    return Baskets(basket_number, number[place], at_s < np.quantile(at_s, LEARNT), int(often.sum()))


def _questions(baskets: Baskets, count: int, seed: int = 0) -> Iterator[BasketQuestion]:
    drawn = np.random.default_rng(seed)
    later = ~baskets.learnt
    order = np.argsort(baskets.basket[later], kind="stable")
    articles = baskets.article[later][order]
    starts = np.flatnonzero(np.diff(baskets.basket[later][order], prepend=-1))
    held = [one for one in np.split(articles, starts[1:]) if 3 <= len(one) <= 40]
    for place in drawn.permutation(len(held))[:count]:
        mixed = drawn.permutation(held[place])
        yield BasketQuestion(mixed[1 : 1 + KNOWN], int(mixed[0]), np.delete(mixed, slice(1, 1 + KNOWN)))


def _ranks(asked: list[BasketQuestion], company: Pairs, undamped: Pairs) -> dict[str, npt.NDArray[np.intp]]:
    """The place of what was hidden, from 0, by each way; articles of one score stand in random order."""
    drawn = np.random.default_rng(1)
    found: dict[str, list[int]] = {}
    for one in asked:
        known = list(map(int, one.known))
        ways = {
            "chance": drawn.random(len(company.taken)),
            "popularity": company.taken.copy(),
            "together, undamped": undamped.of_or_popular(known),
            "together, damped": company.of_or_popular(known),
        }
        for name, score in ways.items():
            score[known] = -1
            own = score[one.hidden]
            equal = int((score == own).sum()) - 1
            found.setdefault(name, []).append(int((score > own).sum()) + int(drawn.integers(equal + 1)))
    return {name: np.array(ranks) for name, ranks in found.items()}


def _gains(ranks: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    return np.where(ranks < SHOWN, 1 / np.log2(ranks + 2.0), 0.0)


def _scores(ranks: npt.NDArray[np.intp]) -> dict[str, Any]:
    hits = (ranks < SHOWN).astype(float)
    return {"hit@5": _with_interval(hits), "NDCG@5": _with_interval(_gains(ranks))}


def _with_interval(values: npt.NDArray[np.float64]) -> list[float]:
    """Mean, and the ends of its 95 % interval."""
    mean, half = float(values.mean()), 1.96 * float(values.std()) / len(values) ** 0.5
    return [round(mean + side, 4) for side in (0, -half, half)]


def _ratios(ours: npt.NDArray[np.intp], theirs: npt.NDArray[np.intp]) -> dict[str, list[float]]:
    """How many times as good, with the 95 % interval of resampled questions."""
    drawn = np.random.default_rng(2)
    found = {}
    for name, (one, other) in {
        "hit@5": ((ours < SHOWN).astype(float), (theirs < SHOWN).astype(float)),
        "NDCG@5": (_gains(ours), _gains(theirs)),
    }.items():
        rows = drawn.integers(0, len(one), (RESAMPLED, len(one)))
        many = one[rows].mean(1) / np.maximum(other[rows].mean(1), 1e-9)
        ends = np.quantile(many, [0.025, 0.975])
        found[name] = [round(float(v), 3) for v in (one.mean() / max(other.mean(), 1e-9), *ends)]
    return found


def _interleaved(asked: list[BasketQuestion], company: Pairs) -> dict[str, Any]:
    """Both ways on one screen; whoever finds it there takes what is in the rest of the basket."""
    drawn = random.Random(0)
    found: dict[str, Any] = {}
    for name, is_same in (("popularity against together", False), ("together against itself", True)):
        wins: Counter[str] = Counter()
        for one in asked:
            known = list(map(int, one.known))
            together = company.of_or_popular(known)
            popular = company.taken.copy()
            popular[known] = -1
            mixed = interleaved(_best(together if is_same else popular), _best(together), SHOWN, drawn)
            rest = {str(article) for article in one.rest}
            credit = [0, 0]
            for sku, team in zip(mixed.shown, mixed.team, strict=True):
                credit[team] += sku in rest
            wins["equal" if credit[0] == credit[1] else "first" if credit[0] > credit[1] else "second"] += 1
        told = wins["first"] + wins["second"]
        share = wins["second"] / max(1, told)
        half = 1.96 * (share * (1 - share) / max(1, told)) ** 0.5
        found[name] = {
            "first": wins["first"],
            "second": wins["second"],
            "equal": wins["equal"],
            "share of the second": [round(share + side, 3) for side in (0, -half, half)],
        }
    return found


def _best(score: npt.NDArray[np.float64]) -> list[str]:
    return [str(place) for place in np.argsort(-score, kind="stable")[:SHOWN]]
