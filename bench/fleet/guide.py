"""`tagsight bench guide`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import click
import msgspec
import numpy as np
import numpy.typing as npt

from bench.fleet.groceries import table
from fleet.guide.ranking import OURS, CouponSignals, scores
from fleet.search.ranking import ndcg

FEWEST = 6
"""Coupons that a campaign must have for an order of them to say something."""
Floats = npt.NDArray[np.float64]


class Case(NamedTuple):
    """A household that redeemed in a campaign: what it did, and what is known of each coupon without it."""

    is_right: npt.NDArray[np.bool_]
    by_others: Floats
    by_others_before: Floats
    by_band: Floats
    by_band_before: Floats
    sales: Floats


@click.command()
@click.option("--quick", is_flag=True, help="The first hundred cases.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def guide(quick: bool, as_json: bool) -> None:
    """Which coupon of a campaign a household redeems: by others' redemptions, with and without age.

    \b
    Example:
      tagsight bench guide --json
    """
    cases = list(islice(_cases(), 100 if quick else None))
    drawn = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for case in cases:
        order = drawn.permutation(len(case.is_right))
        for name, score in _ways(case, drawn).items():
            found.setdefault(name, []).append(ndcg(score[order], case.is_right[order]))
    told: dict[str, Any] = {
        "cases": len(cases),
        "coupons in the middle": int(np.median([len(case.is_right) for case in cases])),
        "NDCG@5": {name: _with_interval(np.array(values)) for name, values in found.items()},
        "age's gain": {
            name: _with_interval(np.subtract(found[f"{name}, and age"], found[name]))
            for name in ("redeemed by others", "redeemed by others before")
        },
    }
    if as_json:
        click.echo(msgspec.json.encode(told).decode())
        return
    click.echo(f"{told['cases']} cases, {told['coupons in the middle']} coupons in the middle")
    for part in ("NDCG@5", "age's gain"):
        for name, (mean, low, high) in told[part].items():
            click.echo(f"{part:12} {name:34} {mean:.4f}  95 % {low:.4f} to {high:.4f}")


def _ways(case: Case, drawn: np.random.Generator) -> dict[str, Floats]:
    """Scores of a case's coupons. Heat is how often a coupon's goods are sold; conversion and value are not
    in these data."""
    nothing = np.full(len(case.is_right), np.nan)
    found = {"chance": drawn.random(len(case.is_right)), "sales of its goods": case.sales}
    for name, by_others, by_band in (
        ("redeemed by others", case.by_others, case.by_band),
        ("redeemed by others before", case.by_others_before, case.by_band_before),
    ):
        known = CouponSignals(by_others, nothing, nothing, nothing, by_band)
        found[name] = scores(known, OURS)
        found[f"{name}, and age"] = scores(known, OURS._replace(band=1.0))
        found[f"{name}, and sales"] = scores(known._replace(heat=case.sales), OURS)
    found["redeemed by others of the age band"] = case.by_band
    return found


def _cases() -> Iterator[Case]:
    """Households with a known age band. Raises FleetError where the package is not installed."""
    people = table("demographics", "household_id, age")
    band = dict(zip(people["household_id"].tolist(), people["age"].astype(str).tolist(), strict=True))
    rows = table(
        "coupon_redemptions", "household_id, coupon_upc, campaign_id, epoch(redemption_date) AS at_s"
    )
    redeemed = np.stack(
        [rows[name].astype(np.int64) for name in ("household_id", "coupon_upc", "campaign_id", "at_s")], 1
    )
    bands = np.array([band.get(int(household), "") for household in redeemed[:, 0]])
    goods = table("coupons", "coupon_upc, campaign_id, product_id")
    sold = table("transactions", "product_id, COUNT(DISTINCT basket_id) AS baskets", "GROUP BY product_id")
    baskets = dict(zip(sold["product_id"].tolist(), sold["baskets"].tolist(), strict=True))
    sales: dict[int, dict[int, float]] = {}
    for coupon, campaign, product in zip(
        *(goods[name].tolist() for name in ("coupon_upc", "campaign_id", "product_id")), strict=True
    ):
        of_campaign = sales.setdefault(campaign, {})
        of_campaign[coupon] = of_campaign.get(coupon, 0.0) + baskets.get(product, 0)
    pairs = np.unique(redeemed[np.isin(redeemed[:, 0], list(band))][:, [0, 2]], axis=0)
    for household, campaign in pairs:
        own_sales = sales.get(int(campaign), {})
        if len(own_sales) < FEWEST:
            continue
        coupons = np.array(list(own_sales))
        is_own = redeemed[:, 0] == household
        of_campaign = redeemed[:, 2] == campaign
        own = redeemed[is_own & of_campaign]
        is_right = np.isin(coupons, own[:, 1])
        if not is_right.any():
            continue
        others = of_campaign & ~is_own
        before = others & (redeemed[:, 3] < own[:, 3].min())
        alike = bands == band[int(household)]
        by_others, by_others_before, by_band, by_band_before = (
            np.array([np.count_nonzero(redeemed[part, 1] == coupon) for coupon in coupons], dtype=float)
            for part in (others, before, others & alike, before & alike)
        )
        sold_goods = np.array(list(own_sales.values()))
        yield Case(is_right, by_others, by_others_before, by_band, by_band_before, sold_goods)


def _with_interval(values: Floats) -> list[float]:
    """Mean, and the ends of its 95 % interval."""
    mean, half = float(values.mean()), 1.96 * float(values.std()) / len(values) ** 0.5
    return [round(mean + side, 4) for side in (0, -half, half)]
