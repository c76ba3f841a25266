"""The detector's CPU back end as an executor."""

from __future__ import annotations

from collections.abc import Sequence

from engines.inference.detector import PersonDetector
from runtime.frames.ring.buffer import FrameRing
from runtime.vision.crop_inference import FrameDetections
from runtime.vision.executors.executor import PendingBatch
from runtime.vision.frame import LeasedFrame


class CpuExecutor:
    """An `Executor` that is done when `start` returns. Heads run later, on the frame's image."""

    def __init__(self, detector: PersonDetector, reason: str) -> None:
        """`reason`: why no GPU is used."""
        self._detector = detector
        self.reason = reason
        self.maps_writable = False
        self.sparing = True
        self._pending = 0
        self.description = f"{detector.backend_name} on the CPU ({reason})"

    @property
    def has_room(self) -> bool:
        """As the protocol says."""
        return self._pending == 0

    def add_camera(self, camera: str, ring: FrameRing) -> None:
        """As the protocol says; there is nothing to do."""

    def remove_camera(self, camera: str) -> None:
        """As the protocol says; there is nothing to do."""

    def set_min_score(self, score: float | None) -> None:
        """As the protocol says."""
        self._detector.require(score)

    def start(self, frames: Sequence[LeasedFrame]) -> PendingBatch:
        """As the protocol says."""
        images = [frame.image() for frame in frames]
        for height, width in {image.shape[:2] for image in images}:
            self._detector.prepare(width, height)
        self._pending += 1
        found = map(FrameDetections, self._detector.detect_batch(images))
        return PendingBatch(tuple(frames), found=tuple(enumerate(found)))

    def finish(self, batch: PendingBatch) -> list[FrameDetections]:
        """As the protocol says."""
        self._pending -= 1
        return [found for _, found in batch.found]

    def close(self) -> None:
        """As the protocol says; there is nothing to do."""
