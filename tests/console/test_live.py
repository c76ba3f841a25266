"""What the live page is told while somebody looks."""

from __future__ import annotations

import asyncio
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contract.facts import Interaction
from runtime.config import StoreConfig
from runtime.console.live import Live
from runtime.console.shown import ShownStore
from runtime.daybook.daybook import Daybook
from tests.console.conftest import Shop

ZONE = ZoneInfo("Europe/Berlin")
NOON_S = 1_795_950_000.0


def handled(probability: float, visitor: str | None = "2f1c8b7e9a04") -> Interaction:
    return Interaction(
        key="interaction/1",
        time_s=NOON_S,
        flip="flip/1",
        epc="3034257bf400b7800004cb2f",
        sku="coat",
        fixture="coats",
        visitor=visitor,
        probability=probability,
        nobody_probability=1.0 - probability,
        start_s=NOON_S - 1,
        end_s=NOON_S,
    )


async def news_of(config: StoreConfig) -> dict[str, Any]:
    """What a browser that looks is told of what has just been written."""
    live = Live(
        ShownStore.of(config), ZONE, Daybook(config.outbox_path(), ZONE), lambda: NOON_S + 1, lambda _: None
    )
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    response = live.feed.response(lambda: True)
    assert response is not None
    stream = response.body_iterator.__aiter__()
    await stream.__anext__()
    live.feed.tell = lambda name, data: told.put_nowait(data)  # type: ignore[method-assign]
    live.take_committed(1)
    found = await asyncio.wait_for(told.get(), 30.0)
    live.close()
    await stream.aclose()  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("probability", [0.985, 0.125, 0.5, 0.9951, 0.145])
def test_a_rack_and_the_ticker_name_one_probability(shop: Shop, probability: float) -> None:
    """Halves too, which a browser would round otherwise than the box does."""
    shop.write([handled(probability)])
    news = asyncio.run(news_of(shop.config))
    (at_rack,), (line,) = news["handled"], news["ticker"]
    name, percent = at_rack["words"].split()
    assert name == "7e9a04" and f"visitor {name} handled coat" in line["words"]
    assert f"at coats, {percent} sure" in line["words"]


def test_where_no_visitor_is_named_the_rack_says_so(shop: Shop) -> None:
    shop.write([handled(0.2, visitor=None)])
    assert asyncio.run(news_of(shop.config))["handled"][0]["words"] == "nobody seen"
