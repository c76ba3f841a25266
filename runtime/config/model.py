"""What a store is: `store.yaml` as a whole, made of `runtime.config.sections`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, field

from runtime.config.sections import (
    MAX_CAMERAS,
    MAX_FIXTURES,
    MAX_READERS,
    MAX_ZONES,
    Camera,
    Console,
    Engines,
    Entrance,
    Fixture,
    Floor,
    HomeAssistant,
    Intervals,
    Log,
    Metrics,
    Reader,
    Retention,
    Section,
    Site,
    StockEvents,
    Uplink,
    Zone,
)

FILLED_IN = ("file",)
"""What loading adds: no keys of `store.yaml`."""


class StoreConfig(Section, frozen=True, kw_only=True):
    """One store, one box: everything `tagsight run` needs to know."""

    site: Site
    floor: Floor
    cameras: Annotated[list[Camera], Meta(max_length=MAX_CAMERAS, description="the cameras of this box")] = (
        field(default_factory=list)
    )
    entrances: Annotated[
        list[Entrance], Meta(max_length=MAX_ZONES, description="lines people are counted at")
    ] = field(default_factory=list)
    zones: Annotated[list[Zone], Meta(max_length=MAX_ZONES, description="areas of dwell, flow and heat")] = (
        field(default_factory=list)
    )
    fixtures: Annotated[
        list[Fixture], Meta(max_length=MAX_FIXTURES, description="racks and fitting rooms")
    ] = field(default_factory=list)
    epcs_file: Annotated[
        Path | None,
        Meta(description="CSV or Parquet of the store's tags, with the columns epc, sku and fixture"),
    ] = None
    readers: Annotated[
        list[Reader], Meta(max_length=MAX_READERS, description="the RFID readers of this box")
    ] = field(default_factory=list)
    engines: Engines = Engines()
    uplink: Uplink = Uplink()
    retention: Retention = Retention()
    intervals: Intervals = Intervals()
    inventory: StockEvents = StockEvents()
    log: Log = Log()
    console: Console = Console()
    metrics: Metrics = Metrics()
    home_assistant: HomeAssistant = HomeAssistant()
    state_dir: Annotated[Path, Meta(description="where the outbox and other state live")] = field(
        default_factory=lambda: Path("state")
    )

    file: Path | None = None
    """Where it was read from."""

    def outbox_path(self) -> Path:
        """The outbox's file: `uplink.outbox`, or `outbox.db` in the state folder."""
        return self.uplink.outbox if self.uplink.outbox is not None else self.state_dir / "outbox.db"
