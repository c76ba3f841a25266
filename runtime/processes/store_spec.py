"""What the store process needs to know of a store."""

from __future__ import annotations

from pathlib import Path

from contract.shop import Weekday
from runtime.config import Intervals, StoreConfig
from runtime.config.sections import Antenna, Entrance, Fixture, StockEvents, Zone
from runtime.processes.spec import Spec
from runtime.store.floorplan import FloorPlan
from runtime.uplink.outbox.limits import OutboxLimits

MB = 1024 * 1024
DAY_S = 86_400


class StoreSpec(Spec, frozen=True):
    """By the keys of store.yaml. What a running process can take up is what `Behaviour.apply_plan` can."""

    LIVE = frozenset(
        {
            "analysis_fps",
            "antennas",
            "entrances",
            "zones",
            "fixtures",
            "intervals",
            "inventory",
            "opening_hours",
            "visitor_hours",
        }
    )

    site: str
    device: str
    timezone: str
    extent_m: tuple[float, float, float, float]
    cell_m: float
    outbox: Path
    limits: OutboxLimits
    analysis_fps: dict[str, float]
    """By camera that has a floor map; the others count nothing."""
    antennas: dict[str, list[Antenna]]
    """By reader."""
    entrances: list[Entrance]
    zones: list[Zone]
    fixtures: list[Fixture]
    intervals: Intervals
    visitor_hours: float
    opening_hours: dict[Weekday, list[str]]
    inventory: StockEvents = StockEvents()

    def floor_plan(self) -> FloorPlan:
        """Raises FloorPlanError for geometry that makes no sense."""
        return FloorPlan.from_sections(
            extent_m=self.extent_m,
            cell_m=self.cell_m,
            timezone=self.timezone,
            analysis_fps=self.analysis_fps,
            antennas=self.antennas,
            entrances=self.entrances,
            zones=self.zones,
            fixtures=self.fixtures,
            intervals=self.intervals,
            visitor_hours=self.visitor_hours,
        )


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> StoreSpec:
    """The spec of the store process; there is one, whatever `name` says."""
    uplink = config.uplink
    return StoreSpec(
        site=config.site.name,
        device=config.site.device,
        timezone=config.site.timezone,
        extent_m=config.floor.extent(),
        cell_m=config.floor.grid_m,
        outbox=config.outbox_path(),
        limits=OutboxLimits(
            group_events=uplink.group_events,
            group_delay_s=uplink.group_ms / 1_000,
            max_bytes=uplink.max_mb * MB,
            keep_s=config.retention.events_days * DAY_S,
        ),
        analysis_fps={
            camera.name: camera.analysis_fps
            for camera in config.cameras
            if camera.homography or camera.points
        },
        antennas={reader.name: reader.antennas for reader in config.readers},
        entrances=config.entrances,
        zones=config.zones,
        fixtures=config.fixtures,
        intervals=config.intervals,
        visitor_hours=config.retention.visitor_hours,
        opening_hours=config.site.opening_hours,
        inventory=config.inventory,
        clock=clock,
    )
