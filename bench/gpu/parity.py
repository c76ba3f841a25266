"""`tagsight bench parity`: persons and tracks by the GPU path against the CPU path, on a real clip.

Two cameras show the clip, one as BGR and one as NV12. Every frame goes through a frame ring that is open to
the GPU; the vision process's executor starts the next pair before it takes the persons of the last one.
The reference is the vision process's other way: `PersonDetector` on onnxruntime, NV12 converted by OpenCV.

On a machine with a GPU the network is the engine of the store. Without one, with `--stand-in`, libcuda is
a fake that runs the kernels on the CPU, as late as it may, and TensorRT is a fake over onnxruntime;
the report says which it was. The CPU path rounds the scaled image to whole levels, the kernels do not, so
scores differ a little.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.gpu import stand_in
from bench.inputs import sample_clip
from engines.cuda.crops import GpuCropNetwork
from engines.cuda.driver import Gpu, open_gpu
from engines.cuda.execution import Execution, batch_sizes_of
from engines.cuda.inference import read_network
from engines.cuda.kernels.compile import cubin_for
from engines.cuda.libraries import LibraryName
from engines.cuda.stream_slot import SlotPlan
from engines.inference.detector import Detections, PersonDetector
from runtime.frames.opening import open_source
from runtime.frames.ring.buffer import FrameHeader, FrameRing, Image, PixelFormat
from runtime.frames.sources import read
from runtime.vision.executors.executor import PendingBatch
from runtime.vision.executors.gpu import GpuExecutor
from runtime.vision.frame import LeasedFrame
from runtime.vision.track import CameraView, FloorTracker, Track, TrackerSettings
from tagsight.errors import TagsightError

DETECTOR = "person-detector"
INPUT_WH = (416, 320)
MIN_SCORE = 0.1
SURE_SCORE = 0.35
MATCHED_PX = 2.0
SAME_TRACK_PX = 1.0
FRAME_S = 0.1
SLOTS = 4


class CameraParity(msgspec.Struct, frozen=True):
    """What differed between the two paths for one camera."""

    camera: str
    boxes: int
    """By the CPU path, of a score that a track can begin with."""
    unmatched_boxes: int
    """Of these, without a box of the GPU path that is at most two pixels away at every side."""
    largest_box_difference_px: float
    """Among the matched."""
    largest_score_difference: float
    track_points: int
    """Boxes of confirmed tracks by the CPU path."""
    other_track_points: int
    """Of these, with another id or more than a pixel away by the GPU path, or missing there."""
    renumbered_track_points: int
    """Of those, at most a pixel away from a confirmed track of the GPU path that has another id."""


class Parity(msgspec.Struct, frozen=True):
    """What differed between the two paths."""

    where: str
    engine: str
    """What ran, in which batches, by graphs or not."""
    frames: int
    """Of each camera."""
    cameras: list[CameraParity]


class ComparedCamera:
    """A camera of the comparison: its ring, a tracker for each path, and the tally."""

    def __init__(self, name: str, pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
        self.name, self._format = name, pixel_format
        self.ring = FrameRing.create(SLOTS, *size_wh)
        self._trackers = [FloorTracker(TrackerSettings(), CameraView(*size_wh)) for _ in range(2)]
        self._total: Counter[str] = Counter()
        self._largest = np.zeros(2)

    def show(self, number: int, picture: Image) -> LeasedFrame:
        """Frame `number` in its slot."""
        slot, (height, width) = number % SLOTS, picture.shape[:2]
        header = FrameHeader(number + 1, 0.0, 0.0, width, height, self._format)
        self.ring.write(slot, _nv12(picture) if self._format is PixelFormat.NV12 else picture, header)
        return LeasedFrame(self.name, self.ring, slot)

    def compare(self, number: int, by_cpu: Detections, by_gpu: Detections) -> None:
        """Track both and note what differs."""
        differences = _differences(by_cpu, by_gpu)
        matched = differences[differences[:, 0] <= MATCHED_PX]
        self._largest = np.maximum(self._largest, matched.max(0, initial=0.0))
        tracks = [
            _points(tracker.update(found.boxes, found.scores, number * FRAME_S))
            for tracker, found in zip(self._trackers, (by_cpu, by_gpu), strict=True)
        ]
        self._total["boxes"] += len(differences)
        self._total["unmatched"] += len(differences) - len(matched)
        self._total["points"] += len(tracks[0])
        other = _other(tracks[0], tracks[1])
        self._total["other"] += len(other)
        self._total["renumbered"] += sum(_is_there(tracks[0][name], tracks[1]) for name in other)

    def result(self) -> CameraParity:
        """What differed so far."""
        total = self._total
        boxes = (total["boxes"], total["unmatched"])
        tracks = (total["points"], total["other"], total["renumbered"])
        return CameraParity(self.name, *boxes, float(self._largest[0]), float(self._largest[1]), *tracks)


def compare(clip: Path, frames: int, library: LibraryName) -> Parity:
    """Run both paths on the first frames of the clip. Raises TagsightError, EngineError."""
    images = _images(clip, frames)
    first = next(images)
    gpu = open_gpu(library)
    gpu.load(b"\x7fELF" if stand_in.is_here() else cubin_for(gpu.facts.target, gpu.facts.driver_version))
    where = gpu.describe(writable=True) + (f" ({stand_in.LABEL})" if stand_in.is_here() else "")
    engine: list[str] = []

    def opened(
        gpu: Gpu, detector: PersonDetector, size: tuple[int, int], looks: tuple[GpuCropNetwork, ...]
    ) -> Execution:
        if stand_in.is_here():
            execution = open_fake(gpu, detector, size, looks)
        else:
            from engines.cuda.stored import open_stored

            execution = open_stored(gpu, detector, size, looks)
        engine.append(execution.describe())
        return execution

    with closing(GpuExecutor(gpu, _detector(), opened)) as executor:
        cameras = _run(executor, _with_first(first, images), (first.shape[1], first.shape[0]))
    if not engine:
        raise TagsightError("no verified TensorRT engine was found: run `tagsight engines build`")
    return Parity(where, engine[0], frames, cameras)


def open_fake(
    gpu: Gpu, detector: PersonDetector, size: tuple[int, int], looks: tuple[GpuCropNetwork, ...] = ()
) -> Execution:
    """The detector's network run by the fake TensorRT."""
    from testing.gpu.tensorrt import FakeEngine

    buckets = batch_sizes_of(2)
    network = read_network(FakeEngine(detector.source.path, size, buckets), "fake TensorRT")
    return Execution(gpu, SlotPlan(network, detector.reading, buckets, looks))


def _detector() -> PersonDetector:
    return PersonDetector.open(DETECTOR, input_size=INPUT_WH, backend="onnxruntime", score=MIN_SCORE)


def _run(executor: GpuExecutor, images: Iterator[Image], size_wh: tuple[int, int]) -> list[CameraParity]:
    reference = _detector()
    cameras = [ComparedCamera(each.name, each, size_wh) for each in PixelFormat]
    for camera in cameras:
        executor.add_camera(camera.name, camera.ring)
    under_way: tuple[int, PendingBatch, list[Detections]] | None = None

    def finish() -> None:
        if under_way is None:
            return
        number, ticket, by_cpu = under_way
        for camera, cpu, seen in zip(cameras, by_cpu, executor.finish(ticket), strict=True):
            camera.compare(number, cpu, seen.found)

    for number, picture in enumerate(images):
        shown = [camera.show(number, picture) for camera in cameras]
        ticket = executor.start(shown)
        finish()
        under_way = (number, ticket, [reference.detect(frame.image()) for frame in shown])
    finish()
    return [camera.result() for camera in cameras]


def _nv12(picture: Image) -> Image:
    """BGR to NV12, by OpenCV."""
    height, width = picture.shape[:2]
    planar = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    luma, chroma = planar[:height], planar[height:].reshape(2, -1)
    return np.concatenate((luma, chroma.T.reshape(height // 2, width)))


def _differences(by_cpu: Detections, by_gpu: Detections) -> NDArray[np.float64]:
    """For each sure box of the CPU path the nearest of the GPU path: (pixels, score) apart."""
    sure = by_cpu.scores >= SURE_SCORE
    if not len(by_gpu):
        return np.full((int(sure.sum()), 2), np.inf)
    apart = np.abs(by_cpu.boxes[sure][:, None] - by_gpu.boxes[None]).max(2)
    nearest = apart.argmin(1)
    scores = np.abs(by_cpu.scores[sure] - by_gpu.scores[nearest])
    return np.stack((apart[np.arange(len(nearest)), nearest], scores), 1).astype(np.float64)


def _images(clip: Path, frames: int) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    with closing(open_source(f"file:{clip}?pace=fast")) as source:
        for _ in range(frames):
            if (frame := read(source)) is None:
                return
            yield frame.image


def _with_first(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _points(tracks: list[Track]) -> dict[int, Any]:
    return {track.id: np.asarray(track.box) for track in tracks if track.id is not None}


def _other(by_cpu: dict[int, Any], by_gpu: dict[int, Any]) -> list[int]:
    """The ids whose box is not where the GPU path has it under the same id."""
    return [
        name
        for name, box in by_cpu.items()
        if name not in by_gpu or float(np.abs(by_gpu[name] - box).max()) > SAME_TRACK_PX
    ]


def _is_there(box: Any, tracks: dict[int, Any]) -> bool:
    return any(float(np.abs(other - box).max()) <= SAME_TRACK_PX for other in tracks.values())


@click.command()
@click.option("--clip", type=click.Path(path_type=Path), help="A video; the sample clip if left out.")
@click.option("--frames", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--library", type=click.Choice(["auto", "pycuda", "cuda-bindings"]), default="auto")
@click.option("--stand-in", "over", is_flag=True, help="Run the kernels on the CPU, as where no GPU is.")
def parity(clip: Path | None, frames: int, library: LibraryName, over: bool) -> None:
    """Persons and tracks by the GPU path against the CPU path, as JSON.

    \b
    Example:
      tagsight bench parity --stand-in --frames 100
    """
    given = clip or sample_clip()
    if not over or stand_in.is_here():
        click.echo(json.dumps(msgspec.to_builtins(compare(given, frames, library)), indent=2))
        return
    again = ["bench", "parity", "--clip", str(given), "--frames", str(frames), "--library", library]
    click.echo(stand_in.run(again), nl=False)
