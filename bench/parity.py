"""`tagsight bench parity`: persons and tracks by the GPU path against the CPU path, on a real clip.

Every frame goes through a frame ring, is opened to the GPU, letterboxed, decoded and suppressed by the
kernels, called through pycuda or cuda-bindings. The network between them runs in onnxruntime on the
processor on both sides: TensorRT is not part of this. The CPU path rounds the scaled picture to whole
levels, the kernels do not, so scores differ a little. On a machine without a GPU libcuda is a stand-in
that runs the kernels on the processor; the report says which it was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
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

from bench.inputs import REPO, sample_clip
from bench.kernel_double.build import build_stand_in
from engines.cuda.compile import cubin_for
from engines.cuda.driver import Gpu, open_gpu
from engines.cuda.framepath import FramePath, FrameThere, PathPlan, rule_of
from engines.cuda.libraries import LibraryName
from engines.detector import OVERLAP_LIMIT, Detections, PersonDetector
from runtime.errors import TagsightError
from runtime.frames.ring import FrameHeader, FrameRing
from runtime.vision.track import CameraView, FloorTracker, Track, TrackerSettings

WEIGHTS = REPO / "engines" / "weights" / "person-detector.onnx"
INPUT_WH = (416, 320)
LEAST_SCORE = 0.1
SURE_SCORE = 0.35
MATCHED_PX = 2.0
FRAME_S = 0.1
SLOTS = 4
STAND_IN = "TAGSIGHT_STAND_IN"
RUN_LIMIT_S = 550.0


class Parity(msgspec.Struct, frozen=True):
    """What differed between the two paths."""

    where: str
    frames: int
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


class GpuDetector:
    """The GPU path around onnxruntime, for one ring."""

    def __init__(self, gpu: Gpu, ring: FrameRing) -> None:
        import onnxruntime

        self._gpu, self._ring = gpu, ring
        self._network: Any = onnxruntime.InferenceSession(str(WEIGHTS), providers=["CPUExecutionProvider"])
        width, height = INPUT_WH
        shape = self._network.run(None, {"images": np.zeros((1, 3, height, width), np.float32)})[0].shape
        rule = rule_of((0.0,) * 3, (1.0,) * 3, rgb=False)
        plan = PathPlan(1, INPUT_WH, "ltrb", shape[1], shape[2], rule, LEAST_SCORE, OVERLAP_LIMIT)
        self._stream = gpu.library.stream()
        self._path = FramePath(gpu, plan)
        self._start = ring.frame(0).ctypes.data
        last = ring.frame(ring.slots - 1).ctypes.data
        length = last - self._start + ring.frame_bytes
        self._shared = gpu.share(self._start, length, ring.frame_bytes, writable=True)

    def detect(self, slot: int) -> Detections:
        """Persons in the frame of that slot."""
        library, picture = self._gpu.library, self._ring.frame(slot)
        place = self._shared.fetch(picture.ctypes.data - self._start, picture.nbytes, self._stream)
        height, width = picture.shape[:2]
        self._path.prepare([FrameThere(place, picture.nbytes, width, height)], self._stream)
        given = np.empty((1, 3, INPUT_WH[1], INPUT_WH[0]), np.float32)
        library.copy_to_host(given.ctypes.data, self._path.input, given.nbytes, self._stream)
        library.wait(self._stream)
        found = np.ascontiguousarray(self._network.run(None, {"images": given})[0])
        library.copy_to_device(self._path.predictions, found.ctypes.data, found.nbytes, self._stream)
        return self._path.finish(self._stream)[0]

    def close(self) -> None:
        """Give the buffers back."""
        self._path.close()


def compare(clip: Path, frames: int, library: LibraryName) -> Parity:
    """Run both paths on the first frames of the clip. Raises TagsightError, EngineError."""
    stand_in = STAND_IN in os.environ
    pictures = _pictures(clip, frames)
    first = next(pictures)
    height, width = first.shape[:2]
    gpu = open_gpu(library)
    with closing(gpu):
        gpu.load(b"\x7fELF" if stand_in else cubin_for(gpu.facts.target, gpu.facts.driver_version))
        where = gpu.describe(writable=True) + (" (host double, no GPU)" if stand_in else "")
        return _compare(gpu, where, _with_first(first, pictures), (width, height))


def _compare(gpu: Gpu, where: str, pictures: Iterator[Any], size_wh: tuple[int, int]) -> Parity:
    width, height = size_wh
    ring = FrameRing.create(SLOTS, width, height)
    for slot in range(SLOTS):
        ring.stamp(slot, FrameHeader(1, 0.0, 0.0, width, height))
    ours = GpuDetector(gpu, ring)
    reference = PersonDetector.open(WEIGHTS, input_size=INPUT_WH, backend="onnxruntime", score=LEAST_SCORE)
    trackers = [FloorTracker(TrackerSettings(), CameraView(width, height)) for _ in range(2)]
    total: Counter[str] = Counter()
    largest = np.zeros(2)
    for number, picture in enumerate(pictures):
        slot = number % SLOTS
        ring.slot_view(slot, width, height)[...] = picture
        by_cpu, by_gpu = reference.detect(picture), ours.detect(slot)
        differences = _differences(by_cpu, by_gpu)
        matched = differences[differences[:, 0] <= MATCHED_PX]
        largest = np.maximum(largest, matched.max(0, initial=0.0))
        tracks = [
            _points(tracker.update(found.boxes, found.scores, number * FRAME_S))
            for tracker, found in zip(trackers, (by_cpu, by_gpu), strict=True)
        ]
        total["frames"] += 1
        total["boxes"] += len(differences)
        total["unmatched"] += len(differences) - len(matched)
        total["points"] += len(tracks[0])
        total["other"] += _other(tracks[0], tracks[1])
    ours.close()
    return Parity(
        where,
        total["frames"],
        total["boxes"],
        total["unmatched"],
        float(largest[0]),
        float(largest[1]),
        total["points"],
        total["other"],
    )


def _differences(by_cpu: Detections, by_gpu: Detections) -> NDArray[np.float64]:
    """For each sure box of the CPU path the nearest of the GPU path: (pixels, score) apart."""
    sure = by_cpu.scores >= SURE_SCORE
    if not len(by_gpu):
        return np.full((int(sure.sum()), 2), np.inf)
    apart = np.abs(by_cpu.boxes[sure][:, None] - by_gpu.boxes[None]).max(2)
    nearest = apart.argmin(1)
    scores = np.abs(by_cpu.scores[sure] - by_gpu.scores[nearest])
    return np.stack((apart[np.arange(len(nearest)), nearest], scores), 1).astype(np.float64)


def _pictures(clip: Path, frames: int) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    video = cv2.VideoCapture(str(clip))
    for number in range(frames):
        ok, picture = video.read()
        if not ok and number == 0:
            raise TagsightError(f"{clip}: no picture can be read from it")
        if not ok:
            return
        yield np.asarray(picture, np.uint8)


def _with_first(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _points(tracks: list[Track]) -> dict[int, Any]:
    return {track.id: np.asarray(track.box) for track in tracks if track.id is not None}


def _other(by_cpu: dict[int, Any], by_gpu: dict[int, Any]) -> int:
    return sum(
        name not in by_gpu or float(np.abs(by_gpu[name] - box).max()) > 1.0 for name, box in by_cpu.items()
    )


@click.command()
@click.option("--clip", type=click.Path(path_type=Path), help="A video; the sample clip if left out.")
@click.option("--frames", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--library", type=click.Choice(["auto", "pycuda", "cuda-bindings"]), default="auto")
@click.option("--stand-in", is_flag=True, help="Run the kernels on the processor, as where no GPU is.")
def parity(clip: Path | None, frames: int, library: LibraryName, stand_in: bool) -> None:
    """Persons and tracks by the GPU path against the CPU path, as JSON.

    \b
    Example:
      tagsight bench parity --stand-in --frames 100
    """
    given = clip or sample_clip()
    if not stand_in or STAND_IN in os.environ:
        click.echo(json.dumps(msgspec.to_builtins(compare(given, frames, library)), indent=2))
        return
    click.echo(_in_stand_in(given, frames, library), nl=False)


def _in_stand_in(clip: Path, frames: int, library: LibraryName) -> str:
    """The same command in a process that finds the stand-in where it looks for libcuda."""
    with tempfile.TemporaryDirectory() as folder:
        build_stand_in(Path(folder))
        environment = {**os.environ, "LD_LIBRARY_PATH": folder, STAND_IN: "integrated,register,read_only"}
        # pycuda wants all of libcuda; bound lazily, it does without what is never called.
        script = f"import os, sys; sys.setdlopenflags({os.RTLD_LAZY}); from runtime.cli import main; main()"
        options = ["bench", "parity", "--clip", str(clip), "--frames", str(frames), "--library", library]
        ended = subprocess.run(
            [sys.executable, "-c", script, *options],
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
    if ended.returncode:
        raise TagsightError((ended.stderr.strip().splitlines() or ["it failed"])[-1])
    return ended.stdout
