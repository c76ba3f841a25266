"""What looks at the frames of the vision process: the processor, or a GPU that reads them where they lie.

    ticket = sight.start(frames)          # while `has_room`
    found = sight.finish(ticket)          # each frame's persons, in order; the frames may be given back

Tickets are finished in the order in which they were started. Which sight it is, and how frames reach it, is
settled at the start (`choose_sight`) and said once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engines.cuda.crops import CropNetwork
from engines.cuda.driver import Gpu, SharedRing, open_gpu
from engines.cuda.errors import GpuError
from engines.cuda.execution import Batch, Execution
from engines.cuda.kernels.compile import cubin_for
from engines.cuda.lane import RingFrame
from engines.errors import EngineError
from engines.inference.detector import PersonDetector
from runtime.config import Engines
from runtime.frames.ring import FrameRing
from runtime.processes.looks import NO_LOOKS, GpuLooks, choose_looks
from runtime.processes.watched import Lent
from runtime.vision.glance import Seen
from runtime.vision.onlooker import NOBODY, Onlooker

MAX_EXECUTIONS = 4
"""Input sizes for which engines are kept on the GPU; cameras beyond them are looked at by the processor."""

Wh = tuple[int, int]
OpenExecution = Callable[[Gpu, PersonDetector, Wh, tuple[CropNetwork, ...]], Execution]

log = logging.getLogger(__name__)

Running = tuple[Execution, Batch, tuple[int, ...]]
"""A batch on the GPU, and the places of its frames in their ticket."""


@dataclass(frozen=True)
class Ticket:
    """Frames that are being looked at."""

    frames: tuple[Lent, ...]
    batches: tuple[Running, ...] = ()
    found: tuple[tuple[int, Seen], ...] = ()
    """By the processor, and so known already: place and persons."""


class Sight(Protocol):
    """Finds persons in frames that lie in rings. Used by one thread."""

    way: str
    """What looks, and how frames reach it, for the log."""
    maps_writable: bool
    """Whether it wants rings mapped for writing; it never writes to them."""

    @property
    def has_room(self) -> bool:
        """Whether another ticket may be started before one is finished."""

    def watch(self, camera: str, ring: FrameRing) -> None:
        """Frames of that camera will lie in that ring."""

    def forget(self, camera: str) -> None:
        """The ring goes; no frame of it is being looked at."""

    def require(self, score: float | None) -> None:
        """Another least score of a box; None: the engine's own. No frame is being looked at."""

    def start(self, frames: Sequence[Lent]) -> Ticket:
        """Begin to look; the frames stay as they are until `finish`. Raises EngineError."""

    def finish(self, ticket: Ticket) -> list[Seen]:
        """Each frame's persons, and what was said of them. Raises EngineError."""

    def close(self) -> None:
        """Give everything back."""


class ProcessorSight:
    """The CPU back end: it has looked when `start` returns."""

    def __init__(self, detector: PersonDetector, reason: str) -> None:
        """`reason`: why no GPU looks."""
        self._detector = detector
        self.reason = reason
        self.maps_writable = False
        self._under_way = 0
        self.way = f"{detector.backend_name} on the processor ({reason})"

    @property
    def has_room(self) -> bool:
        """As the protocol says."""
        return self._under_way == 0

    def watch(self, camera: str, ring: FrameRing) -> None:
        """As the protocol says; there is nothing to do."""

    def forget(self, camera: str) -> None:
        """As the protocol says; there is nothing to do."""

    def require(self, score: float | None) -> None:
        """As the protocol says."""
        self._detector.require(score)

    def start(self, frames: Sequence[Lent]) -> Ticket:
        """As the protocol says."""
        pictures = [frame.picture() for frame in frames]
        for height, width in {picture.shape[:2] for picture in pictures}:
            self._detector.prepare(width, height)
        self._under_way += 1
        return Ticket(tuple(frames), found=tuple(enumerate(map(Seen, self._detector.detect_batch(pictures)))))

    def finish(self, ticket: Ticket) -> list[Seen]:
        """As the protocol says; what else is to be said is the onlooker's."""
        self._under_way -= 1
        return [seen for _, seen in ticket.found]

    def close(self) -> None:
        """As the protocol says; there is nothing to do."""


class GpuSight:
    """Rings are opened to the GPU; frames of one input size go together.

    Where the GPU has no verified engine for a camera's input size, the processor looks at that camera; this
    is said once for each size. `looks` are the networks that look at the persons' crops there. The processor
    looks at those who have none, as at persons beyond the places of a batch.
    """

    def __init__(
        self,
        gpu: Gpu,
        detector: PersonDetector,
        open_execution: OpenExecution,
        looks: GpuLooks = NO_LOOKS,
    ) -> None:
        self._gpu = gpu
        self._detector = detector
        self._processor = ProcessorSight(detector, "no engine for this size")
        self._open_execution = open_execution
        self._looks = looks
        self._executions: dict[Wh, Execution | None] = {}
        self._rings: dict[str, SharedRing] = {}
        self.maps_writable = not gpu.facts.registers_read_only
        """Rings are to be mapped for writing: this GPU registers no memory that may only be read."""
        self.way = gpu.describe(writable=self.maps_writable)

    @property
    def has_room(self) -> bool:
        """As the protocol says."""
        return all(execution.has_room for execution in self._executions.values() if execution is not None)

    def watch(self, camera: str, ring: FrameRing) -> None:
        """Open the ring to the GPU; where it cannot be, the processor looks at that camera."""
        self.forget(camera)
        address, length = ring.extent
        try:
            shared = self._gpu.share(address, length, ring.frame_bytes, writable=ring.writable)
        except GpuError as error:
            log.warning("camera %s: %s on the processor (%s)", camera, self._detector.backend_name, error)
            return
        self._rings[camera] = shared
        log.info("camera %s: frames are %s", camera, shared.way.value)

    def forget(self, camera: str) -> None:
        """Close the ring to the GPU."""
        ring = self._rings.pop(camera, None)
        if ring is not None:
            ring.close()

    def sees(self, width: int, height: int) -> bool:
        """Whether the GPU looks at frames of that size; loads their engine now."""
        return self._execution_for(self._detector.input_size_for(width, height)) is not None

    def require(self, score: float | None) -> None:
        """As the protocol says: the score is part of what was made ready, so that is made anew."""
        before = self._detector.least_score
        self._detector.require(score)
        if self._detector.least_score != before:
            self._drop_executions()

    def start(self, frames: Sequence[Lent]) -> Ticket:
        """As the protocol says."""
        groups: dict[Wh, list[int]] = {}
        by_processor: list[int] = []
        for place, frame in enumerate(frames):
            header = frame.header
            size = self._detector.input_size_for(header.width, header.height)
            if frame.camera not in self._rings or self._execution_for(size) is None:
                by_processor.append(place)
            else:
                groups.setdefault(size, []).append(place)
        batches: list[Running] = []
        found: list[tuple[int, Seen]] = []
        for size, places in groups.items():
            execution = self._executions[size]
            assert execution is not None
            for part in _parts(places, execution.largest_batch):
                if not execution.has_room:
                    found.extend(self._finished(frames, *batches.pop()))
                batch = execution.start([self._ring_frame(frames[place]) for place in part])
                batches.append((execution, batch, part))
        if by_processor:
            ticket = self._processor.start([frames[place] for place in by_processor])
            found.extend(zip(by_processor, self._processor.finish(ticket), strict=True))
        return Ticket(tuple(frames), tuple(batches), tuple(found))

    def finish(self, ticket: Ticket) -> list[Seen]:
        """As the protocol says."""
        found = dict(ticket.found)
        for running in ticket.batches:
            found.update(self._finished(ticket.frames, *running))
        return [found[place] for place in range(len(ticket.frames))]

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
            execution = self._open_execution(self._gpu, self._detector, size, self._looks.networks)
        except EngineError as error:
            log.warning("input %d x %d: %s on the processor (%s)", *size, self._detector.backend_name, error)
            return None
        log.info("input %d x %d: %s", *size, execution.describe())
        return execution

    def _finished(
        self, frames: Sequence[Lent], execution: Execution, batch: Batch, places: Sequence[int]
    ) -> list[tuple[int, Seen]]:
        persons = execution.persons(batch)
        seen: list[tuple[int, Seen]] = []
        for place, found, answers in zip(places, persons, execution.finish(batch), strict=True):
            header = frames[place].header
            told = self._looks.told(answers, found, (header.width, header.height))
            seen.append((place, Seen(found, told)))
        return seen

    def _ring_frame(self, frame: Lent) -> RingFrame:
        header, picture = frame.header, frame.ring.frame(frame.slot)
        return RingFrame(
            self._rings[frame.camera],
            frame.ring.offset_of(frame.slot),
            picture.nbytes,
            header.width,
            header.height,
            header.pixel_format,
        )


def _parts(places: Sequence[int], most: int) -> list[tuple[int, ...]]:
    return [tuple(places[start : start + most]) for start in range(0, len(places), most)]


def choose_sight(engines: Engines, detector: PersonDetector, onlooker: Onlooker = NOBODY) -> Sight:
    """The GPU where there is one that can be used and no other back end is configured, else the processor."""
    if engines.backend != "auto":
        return ProcessorSight(detector, f"configured: engines.backend is {engines.backend}")
    try:
        gpu = open_gpu()
    except GpuError as error:
        return ProcessorSight(detector, str(error))
    try:
        gpu.load(cubin_for(gpu.facts.target, gpu.facts.driver_version))
    except GpuError as error:
        gpu.close()
        return ProcessorSight(detector, str(error))
    from engines.cuda.stored import open_stored

    return GpuSight(gpu, detector, open_stored, choose_looks(onlooker))
