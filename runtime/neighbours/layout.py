"""What neighbours need to know of a store: names, and where zones lie."""

from __future__ import annotations

from pathlib import Path

import msgspec

from runtime.config import StoreConfig
from runtime.config.sections import Zone


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Names as in store.yaml. `antennas` are those of each reader, by port."""

    site: str
    device: str
    timezone: str
    outbox: Path
    cameras: list[str]
    antennas: dict[str, dict[int, str]]
    entrances: list[str]
    zones: list[Zone]

    @classmethod
    def of(cls, config: StoreConfig) -> Layout:
        """From the configuration."""
        return cls(
            site=config.site.name,
            device=config.site.device,
            timezone=config.site.timezone,
            outbox=config.outbox_path(),
            cameras=[camera.name for camera in config.cameras],
            antennas={
                reader.name: {antenna.port: antenna.name for antenna in reader.antennas}
                for reader in config.readers
            },
            entrances=[entrance.name for entrance in config.entrances],
            zones=config.zones,
        )
