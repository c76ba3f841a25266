"""What the vision process needs to know of a camera: how its frames lie on the floor, and its rates."""

from __future__ import annotations

import msgspec

from runtime.config import Camera
from runtime.config.sections.cameras import PointPair
from runtime.config.sections.words import Matrix
from runtime.vision.batching import CameraPlan

FLOOR_FPS = 1.0
ENTRANCE_FLOOR_FPS = 5.0
"""Below this a fast person crosses an entrance between two frames."""


class TrackedCamera(msgspec.Struct, frozen=True):
    """One camera, by the keys of its section in store.yaml."""

    name: str
    analysis_fps: float
    entrance: bool = False
    homography: Matrix | None = None
    points: list[PointPair] = []
    image_size: tuple[int, int] | None = None

    @classmethod
    def of(cls, camera: Camera) -> TrackedCamera:
        """From its section."""
        return cls(*(getattr(camera, field) for field in cls.__struct_fields__))

    def plan(self) -> CameraPlan:
        """The rates it should get."""
        floor_fps = ENTRANCE_FLOOR_FPS if self.entrance else FLOOR_FPS
        return CameraPlan(self.name, self.analysis_fps, min(floor_fps, self.analysis_fps), self.entrance)
