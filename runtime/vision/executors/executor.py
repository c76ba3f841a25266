"""What every executor does.

    batch = executor.start(frames)         # while `has_room`
    found = executor.finish(batch)         # each frame's persons, in order; the frames may be given back

Batches are finished in the order in which they were started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engines.cuda.execution import Batch, Execution
from runtime.frames.ring.buffer import FrameRing
from runtime.vision.crop_inference import FrameDetections
from runtime.vision.frame import LeasedFrame

GpuBatch = tuple[Execution, Batch, tuple[int, ...]]
"""A batch on the GPU, and the places of its frames in their pending batch."""


@dataclass(frozen=True)
class PendingBatch:
    """Frames that are being processed."""

    frames: tuple[LeasedFrame, ...]
    on_gpu: tuple[GpuBatch, ...] = ()
    found: tuple[tuple[int, FrameDetections], ...] = ()
    """By the CPU, and so known already: the frame's place, and its persons."""


class Executor(Protocol):
    """Finds persons in frames that lie in rings. Used by one thread."""

    description: str
    """What runs the detector, and how frames reach it, for the log."""
    maps_writable: bool
    """Whether it wants rings mapped for writing; it never writes to them."""

    sparing: bool
    """Whether frames that need no look (`runtime.vision.track.watch`) are to be kept from it."""

    @property
    def has_room(self) -> bool:
        """Whether another batch may be started before one is finished."""

    def add_camera(self, camera: str, ring: FrameRing) -> None:
        """Frames of that camera will lie in that ring."""

    def remove_camera(self, camera: str) -> None:
        """The ring goes; no frame of it is pending."""

    def set_min_score(self, score: float | None) -> None:
        """Another least score of a box; None: the engine's own. No frame is pending."""

    def start(self, frames: Sequence[LeasedFrame]) -> PendingBatch:
        """Begin inference; the frames stay as they are until `finish`. Raises EngineError."""

    def finish(self, batch: PendingBatch) -> list[FrameDetections]:
        """Each frame's persons, and what heads on the GPU said of them. Raises EngineError."""

    def close(self) -> None:
        """Give everything back."""
