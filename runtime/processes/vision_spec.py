"""What the vision process needs to know of a store."""

from __future__ import annotations

from typing import Literal

import msgspec

from runtime.config import StoreConfig
from runtime.processes.spec import Spec
from runtime.vision.camera_spec import TrackedCamera
from runtime.vision.heads import networks_of


class VisionSpec(Spec, frozen=True):
    """By the keys of `cameras` and `engines`; `heads` are the networks of those that are on, by head."""

    LIVE = frozenset({"cameras", "score"})

    cameras: list[TrackedCamera]
    detector: str
    input_size: tuple[int, int] | None = None
    backend: Literal["auto", "openvino", "onnxruntime"] = "auto"
    threads: int = 0
    score: float | None = None
    heads: dict[str, str] = msgspec.field(default_factory=dict)


def spec_of(config: StoreConfig, name: str, clock: tuple[float, float]) -> VisionSpec:
    """The spec of the vision process; there is one, whatever `name` says."""
    engines = config.engines
    return VisionSpec(
        [TrackedCamera.of(camera) for camera in config.cameras],
        engines.detector,
        engines.input_size,
        engines.backend,
        engines.threads,
        engines.score,
        networks_of(engines),
        clock=clock,
    )
