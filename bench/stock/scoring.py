"""What stock events are worth: changes that were told against those that happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bench.stock.shops import READER, Journey, StockShop
from rfid_reader.inventory.levels import PERIOD_S
from rfid_reader.inventory.places import PlaceRules, StockChange, TagPlaces

LATE_S = 120.0
"""After a garment hangs and `hold_s` has passed, or after `gone_s` where it left: later is too late."""
HEARD_SHARE = 0.5
"""Tags heard in fewer of the slots than this are not there for stock events, and counted apart."""


@dataclass
class StockScore:
    """Of some shops: told rightly and in time, of those that happened; what was told beside that."""

    happened: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    misplaced: int = 0
    placed: int = 0
    tags: int = 0
    deaf_tags: int = 0
    tag_hours: float = 0.0

    def add(self, other: StockScore) -> None:
        """Take in another's."""
        self.happened += other.happened
        self.right += other.right
        self.false += other.false
        for name in ("misplaced", "placed", "tags", "deaf_tags", "tag_hours"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def changes_in(shop: StockShop, rules: PlaceRules) -> list[StockChange]:
    """What the product tells of a shop."""
    places, told = TagPlaces(shop.place_of, rules), []
    for number, slot in enumerate(shop.slots, start=1):
        places.hear(READER, slot, number * PERIOD_S)
        told += places.judge(number * PERIOD_S)
    return told


def score(shop: StockShop, rules: PlaceRules) -> StockScore:
    """One shop's score."""
    told = changes_in(shop, rules)
    heard = Counter(epc for slot in shop.slots for epc, _ in slot)
    gone_s = {one.epc: one.start_s for one in shop.journeys if one.ends_at is None}
    new_s = {one.epc: one.end_s for one in shop.journeys if one.begins_at is None}
    found, good = StockScore(), set()
    for epc in {*shop.home, *new_s}:
        there_s = gone_s.get(epc, shop.seconds) - new_s.get(epc, 0.0)
        found.tags += 1
        if heard[epc] * PERIOD_S >= HEARD_SHARE * there_s:
            good.add(epc)
            found.tag_hours += there_s / 3600
    found.deaf_tags = found.tags - len(good)
    left = [change for change in told if change.epc in good]
    for epc, place in shop.home.items():
        first = next((one for one in left if one.epc == epc and one.change == "arrived"), None)
        if first is not None:
            left.remove(first)
            found.placed += 1
            found.misplaced += first.place != place
    for journey in shop.journeys:
        if journey.epc in good:
            _judge(journey, shop, rules, told, left, found)
    found.false.update(one.change for one in left)
    return found


def _read_at_the_end(journey: Journey, shop: StockShop, by_s: float) -> bool:
    """Whether a garment is read where it now hangs, until it is taken again."""
    again = [one.start_s for one in shop.journeys if one.epc == journey.epc and one.start_s >= journey.end_s]
    until_s = min([by_s, *again])
    slots = shop.slots[int(journey.end_s / PERIOD_S) + 1 : int(until_s / PERIOD_S)]
    read = sum(any(epc == journey.epc for epc, _ in slot) for slot in slots)
    long_enough = until_s - journey.end_s >= LATE_S
    return long_enough and read >= HEARD_SHARE * len(slots)


def _read_before(journey: Journey, shop: StockShop) -> bool:
    """Whether a garment was read where it hung, in the last minute and a half before it was taken."""
    end = int(journey.start_s / PERIOD_S)
    slots = shop.slots[max(end - 18, 0) : end]
    return sum(any(epc == journey.epc for epc, _ in slot) for slot in slots) >= HEARD_SHARE * len(slots)


def _judge(
    journey: Journey,
    shop: StockShop,
    rules: PlaceRules,
    told: list[StockChange],
    left: list[StockChange],
    found: StockScore,
) -> None:
    """Take the change that tells of a journey out of those that are `left`."""
    wanted = {"moved": "moved", "sold": "departed", "delivered": "arrived"}.get(journey.kind)
    if wanted == "moved" and not _read_before(journey, shop):
        wanted = "arrived"
    if wanted is None:
        return
    before = [one for one in told if one.epc == journey.epc and one.time_s < journey.start_s]
    if wanted == "moved" and before and before[-1].place == journey.ends_at:
        return
    by_s = journey.end_s + LATE_S + (rules.gone_s if wanted == "departed" else rules.hold_s)
    counts = by_s <= shop.seconds and (journey.ends_at is None or _read_at_the_end(journey, shop, by_s))
    found.happened[wanted] += counts
    for change in left:
        if (
            change.epc == journey.epc
            and journey.start_s < change.time_s <= by_s
            and (change.change, change.place) == (wanted, journey.ends_at)
        ):
            left.remove(change)
            found.right[wanted] += counts
            return
