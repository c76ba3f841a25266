"""One batch in flight: its streams, buffers, contexts and graphs.

    slot.start(frames)          # queues everything and returns
    slot.persons()              # waits for the boxes
    slot.answers()              # waits for what the crop networks say; then the frames may be given back

Detection runs as one CUDA graph a batch size on a stream that goes before others. What looks at crops follows
on an ordinary stream, so that the next batch's detection overtakes it. Where a graph cannot be captured
(`StreamSlot.remarks` says why) the same work is queued piece by piece on an ordinary stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engines.cuda.crops import CropPath, Found, GpuCropNetwork, places_for
from engines.cuda.driver import Gpu, SharedRing
from engines.cuda.errors import GpuError
from engines.cuda.framepath import FramePath, FrameThere, PathPlan, rule_of
from engines.cuda.inference import Inference, TensorRtNetwork
from engines.cuda.kernels import launches
from engines.inference import decoders
from engines.inference.decoders.scene import PLAIN
from engines.inference.detector import Detections
from engines.inference.reading import NetworkIO

Step = tuple[str, Callable[[int], None]]
"""A stage's name and what queues it on a stream."""


@dataclass(frozen=True)
class RingFrame:
    """A frame in a ring that is open to the GPU."""

    ring: SharedRing
    offset: int
    """Bytes from the ring's first frame."""
    bytes: int
    width: int
    height: int
    format: int


@dataclass(frozen=True)
class SlotPlan:
    """What a stream slot runs."""

    detector: TensorRtNetwork
    reading: NetworkIO
    buckets: tuple[int, ...]
    """Batch sizes to be ready for, smallest first; a batch takes the next larger one."""
    crops: tuple[GpuCropNetwork, ...] = ()
    graphs: bool = True


@dataclass
class _Bucket:
    """Contexts and graphs for one batch size: a context for each, as TensorRT wants of captured ones."""

    detect: Inference
    look: list[Inference]
    detection: int | None = None
    looking: int | None = None


@dataclass
class _Under:
    """What is under way."""

    bucket: int = 0
    fetched: Counter[int] = field(default_factory=Counter)


class StreamSlot:
    """Used by one thread."""

    def __init__(self, gpu: Gpu, plan: SlotPlan, number: int, slots: int) -> None:
        """Make everything and run each batch size once. Raises GpuError."""
        self.remarks: list[str] = []
        self._gpu, self._plan = gpu, plan
        self._number, self._slots = number, slots
        library = gpu.library
        self._stream, self._back, self._front = library.stream(), library.stream(), library.first_stream()
        self._started, self._found, self._told = library.event(), library.event(), library.event()
        self._under = _Under()
        self._buckets = {size: self._contexts(size) for size in plan.buckets}
        library.wait(self._stream)
        largest = self._buckets[plan.buckets[-1]]
        self._path = FramePath(gpu, _path_plan(plan, largest.detect))
        self._crop_paths = [
            CropPath(gpu, crops, inference.batch, inference.shape(crops.network.outputs[0].name)[-1])
            for crops, inference in zip(plan.crops, largest.look, strict=True)
        ]
        for size in plan.buckets:
            self._make_ready(size)

    @property
    def uses_graphs(self) -> bool:
        """Whether every batch size has its graph."""
        return all(bucket.detection is not None for bucket in self._buckets.values())

    def start(self, frames: Sequence[RingFrame]) -> None:
        """Queue a batch; the frames stay lent until `answers`. Raises GpuError for too many of them."""
        size = self.bucket_for(len(frames))
        bucket, library = self._buckets[size], self._gpu.library
        stream = self._stream if bucket.detection is None else self._front
        self._under = _Under(size)
        library.record(self._started, stream)
        self._path.describe([self._fetched(frame, stream) for frame in frames])
        self._run(bucket.detection, self.detection_steps(size), stream)
        library.record(self._found, stream)
        if self._crop_paths:
            library.let_wait(self._back, self._found)
            self._run(bucket.looking, self.looking_steps(size), self._back)
        library.record(self._told, self._back if self._crop_paths else stream)

    def persons(self) -> list[Detections]:
        """Each frame's persons, when they are found. Raises GpuError where the GPU failed."""
        self._gpu.library.wait_event(self._found)
        return self._path.persons()

    def answers(self) -> list[dict[str, Found]]:
        """For each frame and crop network what it said of the persons, by the network's name.

        After `persons`; then nothing of the batch is on its way any more. Raises GpuError.
        """
        self._gpu.library.wait_event(self._told)
        bucket = self._buckets[self._under.bucket]
        ranks = self._path.ranks()
        told: list[dict[str, Found]] = [{} for _ in ranks]
        for path, crops, look in zip(self._crop_paths, self._plan.crops, bucket.look, strict=True):
            for frame, found in zip(told, path.answers_for(look.batch, ranks), strict=True):
                frame[crops.network.name] = found
        return told

    def latency_ms(self) -> tuple[float, float]:
        """From the batch's start to its boxes, and to the crop networks' answers; known after `answers`."""
        library = self._gpu.library
        boxes_ms = library.elapsed_ms(self._started, self._found)
        return boxes_ms, library.elapsed_ms(self._started, self._told)

    def bucket_for(self, frames: int) -> int:
        """The batch size for so many frames. Raises GpuError."""
        for size in self._plan.buckets:
            if frames <= size:
                return size
        raise GpuError(f"{frames} frames are more than the largest batch, {self._plan.buckets[-1]}")

    def detection_steps(self, size: int) -> list[Step]:
        """What a batch of that size goes through until its boxes are here, frames being described."""
        path = self._path
        return [
            ("letterbox", lambda stream: path.queue_input(size, stream)),
            ("network", self._buckets[size].detect.queue),
            ("decode and suppress", lambda stream: path.queue_decoding(size, stream)),
            ("results", lambda stream: path.queue_results(size, stream)),
        ]

    def looking_steps(self, size: int) -> list[Step]:
        """What follows, for each crop network."""

        def step(path: CropPath, look: Inference) -> Step:
            return look.network.name, lambda stream: path.queue(self._path, size, look, stream)

        return [step(*pair) for pair in zip(self._crop_paths, self._buckets[size].look, strict=True)]

    def measure(self, frames: Sequence[RingFrame]) -> dict[str, float]:
        """Milliseconds each stage takes, queued piece by piece on one stream. Raises GpuError."""
        size, library = self.bucket_for(len(frames)), self._gpu.library
        self._under = _Under(size)

        def fetch(stream: int) -> None:
            self._path.describe([self._fetched(frame, stream) for frame in frames])

        steps = [("fetch", fetch), *self.detection_steps(size), *self.looking_steps(size)]
        events = [library.event() for _ in range(len(steps) + 1)]
        library.record(events[0], self._stream)
        for (_, queue), event in zip(steps, events[1:], strict=True):
            queue(self._stream)
            library.record(event, self._stream)
        library.wait(self._stream)
        passed = {
            name: library.elapsed_ms(before, after)
            for (name, _), before, after in zip(steps, events[:-1], events[1:], strict=True)
        }
        for event in events:
            library.free_event(event)
        return passed

    def close(self) -> None:
        """Wait for what is under way and give everything back."""
        library = self._gpu.library
        for stream in (self._stream, self._back, self._front):
            library.wait(stream)
        for bucket in self._buckets.values():
            for graph in (bucket.detection, bucket.looking):
                if graph is not None:
                    library.free_graph(graph)
        self._buckets.clear()
        self._path.close()
        for crop_path in self._crop_paths:
            crop_path.close()
        for event in (self._started, self._found, self._told):
            library.free_event(event)
        library.close_first_stream(self._front)
        for stream in (self._stream, self._back):
            library.close_stream(stream)

    def _contexts(self, size: int) -> _Bucket:
        look = [Inference(crops.network, places_for(crops, size), self._stream) for crops in self._plan.crops]
        return _Bucket(Inference(self._plan.detector, size, self._stream), look)

    def _make_ready(self, size: int) -> None:
        """Bind, run once (the first run may allocate, which a capture forbids), then capture."""
        bucket, network = self._buckets[size], self._plan.detector
        bucket.detect.bind(
            {network.input.name: self._path.input, network.outputs[0].name: self._path.predictions}
        )
        for crops, path, look in zip(self._plan.crops, self._crop_paths, bucket.look, strict=True):
            look.bind({crops.network.input.name: path.input, crops.network.outputs[0].name: path.answers})
        self._path.describe([])
        detection, looking = self.detection_steps(size), self.looking_steps(size)
        self._run(None, [*detection, *looking], self._stream)
        self._gpu.library.wait(self._stream)
        if self._plan.graphs:
            bucket.detection = self._captured(size, detection)
            bucket.looking = self._captured(size, looking) if looking else None

    def _captured(self, size: int, steps: Sequence[Step]) -> int | None:
        try:
            return self._gpu.library.capture(self._stream, lambda: self._run(None, steps, self._stream))
        except GpuError as error:
            self.remarks.append(f"no graph for a batch of {size}: {error}")
            return None

    def _run(self, graph: int | None, steps: Sequence[Step], stream: int) -> None:
        if graph is not None:
            self._gpu.library.replay(graph, stream)
            return
        for _, queue in steps:
            queue(stream)

    def _fetched(self, frame: RingFrame, stream: int) -> FrameThere:
        """Bring a frame to where kernels read it; each of a ring's frames in flight has its own place."""
        turn = self._under.fetched[id(frame.ring)]
        self._under.fetched[id(frame.ring)] += 1
        place = self._number + turn * self._slots
        address = frame.ring.fetch(frame.offset, frame.bytes, stream, place)
        return FrameThere(address, frame.bytes, frame.width, frame.height, frame.format)


def _path_plan(plan: SlotPlan, detect: Inference) -> PathPlan:
    """What lies around the detector's engine. Raises GpuError where no kernel decodes its outputs."""
    network, reading = plan.detector, plan.reading
    shape = detect.shape(network.outputs[0].name)
    usual = reading.meaning == PLAIN
    why = launches.undecodable(reading.decoder, usual=usual, outputs=len(network.outputs))
    if why:
        raise GpuError(f"engine {network.name}: {why}; the CPU looks instead")
    box_columns = launches.BOX_COLUMNS[reading.decoder]
    if len(shape) != 3:
        shapes = [list(detect.shape(output.name)) for output in network.outputs]
        raise GpuError(f"engine {network.name}: no kernel decodes outputs {shapes}")
    cells, columns = (shape[2], shape[1]) if reading.decoder == "yolov8" else (shape[1], shape[2])
    strides = decoders.strides_for(cells, *network.input_wh)
    pixels = reading.pixels
    return PathPlan(
        batch=detect.batch,
        input_wh=network.input_wh,
        decoder=reading.decoder,
        cells=cells,
        columns=columns,
        rule=rule_of(pixels.mean, pixels.std, rgb=pixels.colour == "rgb"),
        least_score=reading.least_score,
        overlap=reading.overlap,
        fit=reading.fit,
        half=network.input.half,
        classes=columns - box_columns,
        person_class=reading.person_class,
        levels=len(strides) if strides else 3,
    )
