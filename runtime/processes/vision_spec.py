"""What the vision process is started with, and the rates its cameras should get."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from runtime.config import Camera, Engines, StoreConfig
from runtime.vision.batching import CameraPlan

FLOOR_FPS = 1.0
ENTRANCE_FLOOR_FPS = 5.0
"""Below this a fast walker crosses an entrance between two frames."""


class VisionSpec(msgspec.Struct, frozen=True):
    """What the vision process is started with."""

    cameras: list[Camera]
    engines: Engines
    clock: tuple[float, float]

    def fixed(self) -> VisionSpec:
        """The spec without what can change while the process runs: the cameras and the least score."""
        return replace(self, cameras=[], engines=replace(self.engines, score=None))


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> VisionSpec:
    """The spec of the one vision process, without what only the cameras' own processes need to know."""
    unneeded = {"uri": "-", "username": None, "password_file": None, "max_size": (64, 64)}
    return VisionSpec([replace(camera, **unneeded) for camera in config.cameras], config.engines, clock)


def plan_of(camera: Camera) -> CameraPlan:
    """The rates a camera should get."""
    floor_fps = ENTRANCE_FLOOR_FPS if camera.entrance else FLOOR_FPS
    return CameraPlan(camera.name, camera.analysis_fps, min(floor_fps, camera.analysis_fps), camera.entrance)
