"""What the store process is started with: the configuration, without what the store does not depend on."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from runtime.config import Camera, Engines, Floor, Intervals, Log, Reader, StoreConfig, Uplink


class StoreSpec(msgspec.Struct, frozen=True):
    """What the store process is started with."""

    config: StoreConfig
    clock: tuple[float, float]

    def fixed(self) -> StoreSpec:
        """The spec without what can change while the process runs: what `Behaviour.adopt` takes up."""
        config = replace(
            self.config,
            cameras=[],
            entrances=[],
            zones=[],
            fixtures=[],
            readers=[],
            intervals=Intervals(),
            retention=replace(self.config.retention, visitor_hours=1.0),
        )
        return replace(self, config=config)


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> StoreSpec:
    """The spec of the store process; there is one, whatever `name` says.

    It leaves out what the store does not depend on, so that a new address restarts only whom it concerns.
    """
    cameras = [
        Camera(name=camera.name, uri="-", analysis_fps=camera.analysis_fps)
        for camera in config.cameras
        if camera.homography or camera.points
    ]
    readers = [Reader(name=reader.name, host="-", antennas=reader.antennas) for reader in config.readers]
    floor = Floor(extent_m=config.floor.extent_m, grid_m=config.floor.grid_m)
    uplink = Uplink(
        outbox=config.uplink.outbox,
        max_mb=config.uplink.max_mb,
        group_events=config.uplink.group_events,
        group_ms=config.uplink.group_ms,
    )
    parts = {"floor": floor, "cameras": cameras, "readers": readers, "uplink": uplink}
    return StoreSpec(replace(config, **parts, engines=Engines(), log=Log()), clock)
