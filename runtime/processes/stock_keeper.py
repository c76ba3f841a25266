"""Stock events in the store process: told where they are wanted, and remembered across restarts."""

from __future__ import annotations

from collections.abc import Callable

from contract.facts import Inventory
from rfid_reader.inventory.places import PlaceRules, TagPlace
from runtime.messages import TagsRead
from runtime.processes.store_spec import StoreSpec
from runtime.stock_file import STOCK_STATE, StockFile
from runtime.store.floorplan import FloorPlan
from runtime.store.garments.stock import StockBook


class StockKeeper:
    """A `StockBook` while `inventory.events` is on, and its file beside the outbox."""

    def __init__(self, spec: StoreSpec, plan: FloorPlan, clock: Callable[[], float]) -> None:
        self._file = StockFile(spec.outbox.parent / STOCK_STATE)
        self._clock = clock
        self._settings = spec.inventory
        self._book: StockBook | None = None
        self._begin(plan, self._file.read)

    def apply(self, spec: StoreSpec, plan: FloorPlan) -> None:
        """Go on by another configuration."""
        if spec.inventory != self._settings:
            self.remember()
            self._settings = spec.inventory
            self._begin(plan, self._file.read if self._book is None else self._book.whereabouts)
        elif self._book is not None:
            self._book.apply_plan(plan)

    def take(self, heard: TagsRead) -> list[Inventory]:
        """A reader's report."""
        return self._book.take(heard) if self._book is not None else []

    def restarted(self, reader: str) -> None:
        """A reader's process is another one."""
        if self._book is not None:
            self._book.restarted(reader)

    def remember(self) -> None:
        """Write down where tags are, if that has changed."""
        if self._book is not None:
            self._file.write(self._book.whereabouts(), self._clock())

    def values(self) -> dict[str, float]:
        """Figures for health."""
        return {} if self._book is None else {"tags_in_stock": float(len(self._book))}

    def drops(self) -> dict[str, int]:
        """What could not be followed."""
        return (
            {} if self._book is None else {"reports of more tags than stock is kept of": self._book.refused}
        )

    def remark(self) -> str:
        """What is wrong, for health; empty where nothing is."""
        return "" if self._book is None else self._file.fault

    def _begin(self, plan: FloorPlan, known: Callable[[], list[TagPlace]]) -> None:
        wanted = self._settings
        if not wanted.events:
            self._book = None
            return
        rules = PlaceRules(margin_db=wanted.margin_db, hold_s=wanted.hold_s, gone_s=wanted.gone_s)
        self._book = StockBook(plan, rules, known())
