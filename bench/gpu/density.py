"""How many cameras one box carries: frames a second by number of cameras, by the vision process's executor.

Each camera has a ring; its next frame is there as soon as the one before is done, so the figure is what the
box can do, not what cameras would send. Frames go together as the vision process takes them, at most eight,
the cameras in turn; every camera's people are tracked. Capture and decoding are not part of it: they have
processes of their own. Pictures are of the sample clip, or of `--clip`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import click
import cv2
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from bench import options
from bench.gpu import plot, stand_in
from bench.gpu.figures import Density, not_run, percentiles
from bench.gpu.power import PowerMeter
from bench.inputs import sample_clip
from engines.backends import cpu
from engines.cuda.driver import open_gpu
from engines.cuda.errors import GpuError
from engines.inference.detector import Detections, PersonDetector
from runtime.frames.opening import open_source
from runtime.frames.ring.buffer import FrameHeader, FrameRing, Image
from runtime.frames.sources import read
from runtime.vision.batching import BatchSettings
from runtime.vision.executors.choice import choose_executor
from runtime.vision.executors.cpu import CpuExecutor
from runtime.vision.executors.executor import Executor, PendingBatch
from runtime.vision.executors.gpu import GpuExecutor
from runtime.vision.frame import LeasedFrame
from runtime.vision.track import CameraView, FloorTracker, TrackerSettings
from tagsight.errors import TagsightError

DETECTOR = "person-detector"
CAMERA_FPS = 10.0
CAMERAS = (1, 2, 4, 8, 16)
SECONDS = 10.0
SLOTS = 4
WARM_UP_BATCHES = 3

On = Literal["gpu", "processor"]


class DensityReport(msgspec.Struct, frozen=True):
    """What was measured."""

    where: str
    picture: str
    seconds: float
    results: list[Density]
    carried: float
    """Cameras at 10 analysed frames a second, by the best total."""


class LoadCamera:
    """One camera's ring, with pictures of the clip in its slots, and its tracker."""

    def __init__(self, name: str, pictures: Sequence[Image]) -> None:
        height, width = pictures[0].shape[:2]
        self.name = name
        self.ring = FrameRing.create(SLOTS, width, height)
        for slot in range(SLOTS):
            self.ring.write(slot, pictures[slot % len(pictures)], FrameHeader(1, 0.0, 0.0, width, height))
        self._tracker = FloorTracker(TrackerSettings(), CameraView(width, height))
        self._shown = self._tracked = 0

    def next(self) -> LeasedFrame:
        """The next frame."""
        self._shown += 1
        return LeasedFrame(self.name, self.ring, self._shown % SLOTS)

    def track(self, found: Detections) -> None:
        """Follow the people of the oldest frame that was not tracked yet."""
        self._tracked += 1
        self._tracker.update(found.boxes, found.scores, self._tracked / CAMERA_FPS)


def measure(executor: Executor, cameras: Sequence[LoadCamera], seconds: float) -> Density:
    """As many frames as go in that time. Raises EngineError."""
    by_name = {camera.name: camera for camera in cameras}
    for camera in cameras:
        executor.add_camera(camera.name, camera.ring)
    batches = _batches(cameras)
    for _ in range(WARM_UP_BATCHES):
        executor.finish(executor.start([camera.next() for camera in next(batches)]))
    under_way: deque[tuple[PendingBatch, float]] = deque()
    answer_ms: list[float] = []
    frames = 0

    def finish() -> None:
        nonlocal frames
        ticket, began_s = under_way.popleft()
        for frame, seen in zip(ticket.frames, executor.finish(ticket), strict=True):
            by_name[frame.camera].track(seen.found)
            frames += 1
        answer_ms.append((time.perf_counter() - began_s) * 1e3)

    with PowerMeter() as power:
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        while time.perf_counter() - start_s < seconds or not answer_ms:
            shown = [camera.next() for camera in next(batches)]
            under_way.append((executor.start(shown), time.perf_counter()))
            if not executor.has_room:
                finish()
        while under_way:
            finish()
        wall_s, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
    for camera in cameras:
        executor.remove_camera(camera.name)
        camera.ring.close()
    fps, taken = frames / wall_s, percentiles(answer_ms)
    return Density(len(cameras), fps, fps / len(cameras), taken, cpu_s / frames * 1e3, power.mean_w)


def _batches(cameras: Sequence[LoadCamera]) -> Iterator[list[LoadCamera]]:
    """The cameras in turn, as many together as the vision process takes."""
    most, turn = min(len(cameras), BatchSettings().max_batch), 0
    while True:
        yield [cameras[(turn + place) % len(cameras)] for place in range(most)]
        turn += most


def open_executor(on: On, streams: int) -> Executor:
    """What is to look. Raises GpuError where no GPU with a verified engine is here, and EngineError."""
    cv2.setNumThreads(1)
    if stand_in.is_here():
        from bench.gpu.parity import open_fake

        gpu = open_gpu()
        gpu.load(b"\x7fELF")
        return GpuExecutor(gpu, PersonDetector.open(DETECTOR, backend="onnxruntime"), open_fake)
    threads = cpu.available_threads()
    detector = PersonDetector.open(DETECTOR, threads=threads, streams=max(1, min(streams, threads, 4)))
    if on == "processor":
        return CpuExecutor(detector, "asked for")
    executor = choose_executor("auto", detector)
    if isinstance(executor, CpuExecutor):
        raise GpuError(executor.reason)
    return executor


def _check_engine(executor: Executor, size_wh: tuple[int, int]) -> None:
    """Raises TagsightError where the GPU would leave these frames to the CPU."""
    if isinstance(executor, GpuExecutor) and not executor.supports_size(*size_wh):
        raise TagsightError(
            "the GPU has no verified engine for {} x {}: run `tagsight engines build`".format(*size_wh)
        )


def read_images(clip: Path, size_wh: tuple[int, int] | None) -> list[Image]:
    """The first pictures of a clip, scaled. Raises TagsightError."""
    pictures: list[Image] = []
    with closing(open_source(f"file:{clip}?pace=fast")) as source:
        while len(pictures) < SLOTS:
            if (frame := read(source)) is None:
                raise TagsightError(f"{clip}: it has fewer than {SLOTS} pictures that can be read")
            scaled = frame.image if size_wh is None else cv2.resize(frame.image, size_wh)
            pictures.append(np.asarray(scaled, np.uint8))
    return pictures


@click.command()
@click.option("--on", type=click.Choice(["gpu", "processor"]), default="gpu", show_default=True)
@click.option(
    "--cameras", "numbers", callback=options.counts, help="Numbers; else 1,2,4,8,16, with --paced 4,8,12."
)
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400), help="For each number; else 10, with --paced 600."
)
@click.option("--paced", is_flag=True, help="The whole daemon on network cameras in real time.")
@click.option("--size", callback=options.size, help="WIDTHxHEIGHT of the frames; the clip's if left out.")
@click.option("--clip", type=click.Path(path_type=Path), help="A video; the sample clip if left out.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for JSON and PNG.")
@click.option("--stand-in", "over", is_flag=True, help="Try the GPU's way without one; no figure of a GPU.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def density(
    on: On,
    numbers: tuple[int, ...],
    seconds: float | None,
    paced: bool,
    size: tuple[int, int] | None,
    clip: Path | None,
    out: Path | None,
    over: bool,
    as_json: bool,
) -> None:
    """Frames a second by number of cameras, on the GPU or the CPU.

    Without a GPU it says "not run" and ends with 0. With --paced it is the whole daemon that is tried, on
    network cameras that send in real time: N cameras are carried where each had 99 % of its pictures looked
    at, 99 % of those were told of within 500 ms, memory stayed and accuracy is that of one camera alone.

    \b
    Example:
      tagsight bench density --on processor --cameras 1,2,4
      tagsight bench density --on processor --paced --seconds 60
    """
    if paced:
        from bench.paced import command

        command.run(on, numbers or command.CAMERAS, seconds or command.SECONDS, size, clip, as_json)
        return
    numbers, seconds = numbers or CAMERAS, seconds or SECONDS
    if over and not stand_in.is_here():
        click.echo(stand_in.run(_again(numbers, seconds, size, clip, out, as_json)), nl=False)
        return
    try:
        executor = open_executor(on, max(numbers))
    except GpuError as error:
        said = not_run(str(error))
        click.echo(msgspec.json.encode({"not_run": said}) if as_json else said)
        return
    pictures = read_images(clip or sample_clip(), size)
    height, width = pictures[0].shape[:2]
    _check_engine(executor, (width, height))
    results = [
        measure(executor, [LoadCamera(f"camera {place}", pictures) for place in range(number)], seconds)
        for number in numbers
    ]
    where = executor.description + (f" ({stand_in.LABEL})" if stand_in.is_here() else "")
    best = max(result.fps for result in results) / CAMERA_FPS
    report = DensityReport(where, f"{width} x {height} BGR", seconds, results, best)
    executor.close()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "density.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        plot.draw_density(results, where, out / "density.png")
    if as_json:
        click.echo(msgspec.json.encode(report))
        return
    _print(report)


def _print(report: DensityReport) -> None:
    table = Table("cameras", "fps", "each", "answer ms p50/p95/p99", "CPU ms a frame", "W")
    for result in report.results:
        span = "/".join(f"{value:.1f}" for value in msgspec.structs.astuple(result.answer_ms))
        power = "unknown" if result.power_w is None else f"{result.power_w:.1f}"
        rates = (f"{result.fps:.1f}", f"{result.fps_a_camera:.1f}")
        table.add_row(str(result.cameras), *rates, span, f"{result.processor_ms:.1f}", power)
    Console(width=max(100, Console().width)).print(table)
    click.echo(f"{report.where}; {report.picture}, {report.seconds:g} s each")
    click.echo(f"enough for {report.carried:.1f} cameras at {CAMERA_FPS:g} analysed frames a second")


def _again(
    numbers: tuple[int, ...],
    seconds: float,
    size: tuple[int, int] | None,
    clip: Path | None,
    out: Path | None,
    as_json: bool,
) -> list[str]:
    again = ["bench", "density", "--cameras", ",".join(map(str, numbers)), "--seconds", str(seconds)]
    shape = None if size is None else "{}x{}".format(*size)
    for option, value in (("--size", shape), ("--clip", clip), ("--out", out)):
        again += [option, str(value)] if value is not None else []
    return [*again, "--json"] if as_json else again
