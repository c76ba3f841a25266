"""`tagsight bench stock` on one short store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.stock.scoring import StockScore, score
from bench.stock.shops import StockShop, simulate
from rfid_reader.inventory.places import PlaceRules


@pytest.fixture(scope="module")
def shop() -> StockShop:
    return simulate(102, 700.0)


def judged(shop: StockShop, **rules: float) -> StockScore:
    return score(shop, replace(PlaceRules(), **rules))


def test_what_is_carried_is_found_and_nothing_else(shop: StockShop) -> None:
    found = judged(shop)
    assert found.happened["moved"] > 0 and found.tag_hours > 5
    assert found.right["moved"] >= found.happened["moved"] - 1
    assert sum(found.false.values()) <= 1


def test_a_margin_that_nothing_reaches_finds_no_move(shop: StockShop) -> None:
    never = judged(shop, margin_db=99.0)
    assert never.right["moved"] == 0 and never.happened == judged(shop).happened
