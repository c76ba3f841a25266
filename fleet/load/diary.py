"""One made-up shop, and what is written down of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from contract.facts import Fact
from fleet.ingest.records import Record

DAY_S = 86_400
HOUR_S = 3_600
QUARTER_S = 900
SKUS = 60
ZONES = (
    *(
        "coats",
        "shirts",
        "denim",
        "knitwear",
        "shoes",
        "fitting rooms",
        "dresses",
        "sport",
        "basics",
        "suits",
    ),
    *("bags", "jewellery", "children", "babies", "home", "beauty", "underwear", "outlet", "tills", "café"),
)


class Made(NamedTuple):
    """A fact or record, and when it was made."""

    at_s: float
    what: Fact | Record


class ShopSettings(NamedTuple):
    """One shop; `opens` is the local hour, `offset_h` about where local time is from UTC."""

    site: str
    timezone: str
    offset_h: float
    opens: float
    entrances: int
    zones: int
    visitors: int


class Diary:
    """What happens in a shop, in no order: `made` grows."""

    def __init__(self, shop: ShopSettings, rng: random.Random, start_s: float, days: int) -> None:
        self.shop, self.rng, self.start_s, self.days = shop, rng, start_s, days
        self.made: list[Made] = []
        self.entrances = [f"door {number}" for number in range(shop.entrances)]
        self.zones = list(ZONES[: shop.zones])
        self.skus = [f"SKU-{number:03d}" for number in range(SKUS)]
        self.zone_of = {sku: self.zones[at % len(self.zones)] for at, sku in enumerate(self.skus)}

    def _add(self, at_s: float, what: Fact | Record) -> None:
        self.made.append(Made(at_s, what))

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share


def shops(count: int, rng: random.Random, visitors: int) -> Iterator[ShopSettings]:
    """So many shops in many time zones; the first is far larger, and some close after midnight."""
    zones = [("Asia/Shanghai", 8.0), ("Europe/Berlin", 1.0), ("America/New_York", -5.0)]
    zones += [("Asia/Kolkata", 5.5), ("Asia/Kathmandu", 5.75), ("Australia/Adelaide", 10.5)]
    for number in range(count):
        is_giant = number == 0
        name, offset_h = zones[number % len(zones)]
        yield ShopSettings(
            site=f"s{number:04d}",
            timezone=name,
            offset_h=offset_h,
            opens=15.0 if number % 5 == 2 else 10.0,
            entrances=8 if is_giant else 1 + number % 2,
            zones=20 if is_giant else 6,
            visitors=max(visitors * count // 2, visitors)
            if is_giant
            else rng.randint(visitors // 2, 3 * visitors // 2),
        )
