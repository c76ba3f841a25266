"""A GPU as an executor: it reads frames where they lie in the cameras' rings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from engines.cuda.crops import GpuCropNetwork
from engines.cuda.driver import Gpu, SharedRing
from engines.cuda.errors import GpuError
from engines.cuda.execution import Batch, Execution
from engines.cuda.stream_slot import RingFrame
from engines.errors import EngineError
from engines.inference.detector import PersonDetector
from runtime.frames.ring.buffer import FrameRing
from runtime.vision.crop_inference import FrameDetections
from runtime.vision.executors.cpu import CpuExecutor
from runtime.vision.executors.executor import GpuBatch, PendingBatch
from runtime.vision.executors.gpu_heads import NO_GPU_HEADS, GpuHeads
from runtime.vision.frame import LeasedFrame

MAX_EXECUTIONS = 4
"""Input sizes for which engines are kept on the GPU; cameras beyond them are left to the CPU."""

Wh = tuple[int, int]
OpenExecution = Callable[[Gpu, PersonDetector, Wh, tuple[GpuCropNetwork, ...]], Execution]

log = logging.getLogger(__name__)


class GpuExecutor:
    """An `Executor` over rings that are opened to the GPU; frames of one input size go together.

    Where the GPU has no verified engine for a camera's input size, the CPU takes that camera; this is said
    once for each size. `heads` are those that run there. The CPU runs the others, and those of persons beyond
    the places of a batch.
    """

    def __init__(
        self,
        gpu: Gpu,
        detector: PersonDetector,
        open_execution: OpenExecution,
        heads: GpuHeads = NO_GPU_HEADS,
    ) -> None:
        self._gpu = gpu
        self._detector = detector
        self._cpu = CpuExecutor(detector, "no engine for this size")
        self._open_execution = open_execution
        self._heads = heads
        self._executions: dict[Wh, Execution | None] = {}
        self._rings: dict[str, SharedRing] = {}
        self.sparing = False
        self.maps_writable = not gpu.facts.registers_read_only
        """Rings are to be mapped for writing: this GPU registers no memory that may only be read."""
        self.description = gpu.describe(writable=self.maps_writable)

    @property
    def has_room(self) -> bool:
        """As the protocol says."""
        return all(execution.has_room for execution in self._executions.values() if execution is not None)

    def add_camera(self, camera: str, ring: FrameRing) -> None:
        """Open the ring to the GPU; where it cannot be, the CPU takes that camera."""
        self.remove_camera(camera)
        address, length = ring.extent
        try:
            shared = self._gpu.share(address, length, ring.frame_bytes, writable=ring.writable)
        except GpuError as error:
            log.warning("camera %s: %s on the CPU (%s)", camera, self._detector.backend_name, error)
            return
        self._rings[camera] = shared
        log.info("camera %s: frames are %s", camera, shared.way.value)

    def remove_camera(self, camera: str) -> None:
        """Close the ring to the GPU."""
        ring = self._rings.pop(camera, None)
        if ring is not None:
            ring.close()

    def supports_size(self, width: int, height: int) -> bool:
        """Whether the GPU takes frames of that size; loads their engine now."""
        return self._execution_for(self._detector.input_size_for(width, height)) is not None

    def set_min_score(self, score: float | None) -> None:
        """As the protocol says: the score is part of what was made ready, so that is made anew."""
        before = self._detector.least_score
        self._detector.require(score)
        if self._detector.least_score != before:
            self._drop_executions()

    def start(self, frames: Sequence[LeasedFrame]) -> PendingBatch:
        """As the protocol says."""
        groups: dict[Wh, list[int]] = {}
        on_cpu: list[int] = []
        for place, frame in enumerate(frames):
            header = frame.header
            size = self._detector.input_size_for(header.width, header.height)
            if frame.camera not in self._rings or self._execution_for(size) is None:
                on_cpu.append(place)
            else:
                groups.setdefault(size, []).append(place)
        batches: list[GpuBatch] = []
        found: list[tuple[int, FrameDetections]] = []
        for size, places in groups.items():
            execution = self._executions[size]
            assert execution is not None
            for part in _parts(places, execution.largest_batch):
                if not execution.has_room:
                    found.extend(self._finished(frames, *batches.pop()))
                batch = execution.start([self._ring_frame(frames[place]) for place in part])
                batches.append((execution, batch, part))
        if on_cpu:
            pending = self._cpu.start([frames[place] for place in on_cpu])
            found.extend(zip(on_cpu, self._cpu.finish(pending), strict=True))
        return PendingBatch(tuple(frames), tuple(batches), tuple(found))

    def finish(self, batch: PendingBatch) -> list[FrameDetections]:
        """As the protocol says."""
        found = dict(batch.found)
        for running in batch.on_gpu:
            found.update(self._finished(batch.frames, *running))
        return [found[place] for place in range(len(batch.frames))]

    def close(self) -> None:
        """Give the GPU back."""
        try:
            self._drop_executions()
        finally:
            self._rings.clear()
            self._gpu.close()

    def _drop_executions(self) -> None:
        for execution in self._executions.values():
            if execution is not None:
                execution.close()
        self._executions.clear()

    def _execution_for(self, size: Wh) -> Execution | None:
        if size not in self._executions:
            self._executions[size] = self._opened(size)
        return self._executions[size]

    def _opened(self, size: Wh) -> Execution | None:
        try:
            if len(self._executions) >= MAX_EXECUTIONS:
                raise GpuError(f"engines for {MAX_EXECUTIONS} input sizes are loaded, which is the most")
            execution = self._open_execution(self._gpu, self._detector, size, self._heads.networks)
        except EngineError as error:
            log.warning("input %d x %d: %s on the CPU (%s)", *size, self._detector.backend_name, error)
            return None
        log.info("input %d x %d: %s", *size, execution.describe())
        return execution

    def _finished(
        self, frames: Sequence[LeasedFrame], execution: Execution, batch: Batch, places: Sequence[int]
    ) -> list[tuple[int, FrameDetections]]:
        persons = execution.persons(batch)
        seen: list[tuple[int, FrameDetections]] = []
        for place, found, answers in zip(places, persons, execution.finish(batch), strict=True):
            header = frames[place].header
            outputs = self._heads.outputs(answers, found, (header.width, header.height))
            seen.append((place, FrameDetections(found, outputs)))
        return seen

    def _ring_frame(self, frame: LeasedFrame) -> RingFrame:
        header, pixels = frame.header, frame.ring.frame(frame.slot)
        return RingFrame(
            self._rings[frame.camera],
            frame.ring.offset_of(frame.slot),
            pixels.nbytes,
            header.width,
            header.height,
            header.pixel_format,
        )


def _parts(places: Sequence[int], most: int) -> list[tuple[int, ...]]:
    return [tuple(places[start : start + most]) for start in range(0, len(places), most)]
