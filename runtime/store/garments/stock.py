"""Stock events: which tags arrived, moved and departed, of what readers hear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contract.facts import Inventory
from rfid_reader.inventory.levels import Levels
from rfid_reader.inventory.places import Antenna, PlaceRules, StockChange, TagPlace, TagPlaces
from runtime.messages import TagsRead
from runtime.store.floorplan import FloorPlan


class StockBook:
    """The whereabouts of all tags. `known`: where they were when watching stopped.

    An antenna in a fitting room keeps a tag from having departed; the rack it was taken from stays its place.
    """

    def __init__(self, plan: FloorPlan, rules: PlaceRules, known: Iterable[TagPlace] = ()) -> None:
        self.plan = plan
        self._places = TagPlaces(_place_of(plan), rules, known)
        self._partial: dict[str, list[tuple[str, Levels]]] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def refused(self) -> int:
        """Reports of tags beyond those that can be followed."""
        return self._places.refused

    def apply_plan(self, plan: FloorPlan) -> None:
        """Go on by another plan of the same shop: tags stay where they are."""
        if _place_of(plan) != _place_of(self.plan):
            self._places.apply(_place_of(plan))
        self.plan = plan

    def take(self, heard: TagsRead) -> list[Inventory]:
        """A reader's report; what changed by the reports before it."""
        tags = self._partial.setdefault(heard.reader, [])
        tags += heard.tags
        if heard.more:
            return []
        del self._partial[heard.reader]
        return self._facts(self._places.hear(heard.reader, tags, heard.time_s))

    def restarted(self, reader: str) -> None:
        """A reader's process is another one: half a report of the last is nothing."""
        self._partial.pop(reader, None)

    def whereabouts(self) -> list[TagPlace]:
        """Every tag that is somewhere."""
        return self._places.whereabouts()

    def _facts(self, changes: Sequence[StockChange]) -> list[Inventory]:
        return [self._fact(change) for change in changes]

    def _fact(self, change: StockChange) -> Inventory:
        article = self.plan.article_of(change.epc)
        return Inventory(
            key=f"inventory:{change.epc}:{round(change.time_s * 1000)}",
            time_s=change.time_s,
            change=change.change,
            epc=change.epc,
            sku=article.sku if article is not None else None,
            fixture=change.place,
            previous=change.previous,
        )


def _place_of(plan: FloorPlan) -> dict[Antenna, str]:
    return {
        antenna: coverage.stock_place
        for antenna, coverage in plan.antennas.items()
        if coverage.stock_place is not None
    }
