"""The whole camera path against the loop a user would write otherwise.

Both decode the clip, find persons in every frame, track them and count. Ours is what `tagsight video` runs:
reading ahead in a thread, the network in its back end's threads, tracking on the floor, then the store's
core (entrances, zones, heat, flow) for the plaza of `tagsight demo`. The peer is `peer_loop`: one step after
the other, YOLOX-nano, ByteTrack, one line.

Each repetition runs in a process of its own that may use `--threads` cores, ours and the peer's in turn; the
clock starts when the network is loaded and has run once. On a machine that does other work too, the CPU
time a frame is the steadier figure, so it is shown beside the frames a second. Ratios are medians over the
turns, each of ours with the peer's beside it, because a shared machine may be half as fast a minute later.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.inputs import sample_clip, shared_file
from bench.runtime.fresh_process import answer_of
from engines.inference.detector import DEFAULT_WEIGHTS
from tagsight.errors import TagsightError

CLIP_FPS = 10.0
GOAL = 5.0


@dataclass(frozen=True)
class ThroughputJob:
    """One repetition: which loop, on what, with how many cores."""

    loop: str
    clip: Path
    peer_weights: Path
    detector: str
    threads: int
    frames: int


@dataclass(frozen=True)
class ThroughputRun:
    """What one repetition took."""

    frames: int
    wall_s: float
    cpu_s: float
    people: float
    crossings: int

    @property
    def fps(self) -> float:
        """Frames a second of wall time."""
        return self.frames / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU time a frame, over all cores."""
        return self.cpu_s / self.frames * 1e3


class OurLoop:
    """`tagsight video`'s path on the plaza's camera."""

    def __init__(self, job: ThroughputJob) -> None:
        import cv2

        from engines.inference.detector import PersonDetector
        from runtime.config import image_to_floor, parse
        from runtime.frames.opening import open_source
        from runtime.store.behaviour import Behaviour
        from runtime.store.floorplan import FloorPlan
        from runtime.vision.pipeline import network_share
        from runtime.vision.track import CameraView, FloorTracker, TrackerSettings

        cv2.setNumThreads(1)
        plaza = Path(__file__).parents[2] / "runtime" / "demo" / "plaza.yaml"
        config = parse(plaza.read_text().replace("vtest.avi", str(job.clip)), plaza)
        self._camera = config.cameras[0]
        self._source = open_source(f"file:{job.clip}?pace=fast")
        size = self._source.size
        view = CameraView(*size, image_to_floor(self._camera, size))
        self._tracker = FloorTracker(TrackerSettings(), view)
        visitors = itertools.count(1)
        self._store = Behaviour(FloorPlan.from_config(config), 0.0, lambda: f"visitor-{next(visitors)}")
        self._detector = PersonDetector.open(job.detector, **network_share(job.threads))
        self._detector.detect(np.zeros((size[1], size[0], 3), np.uint8))
        self.crossings = 0

    def frames(self) -> Iterator[int]:
        """The number of tracked people in each frame of the clip."""
        from contract.facts import Visit
        from runtime.frames.sources import read
        from runtime.vision.pipeline import VideoFrame, analyse
        from runtime.vision.records import persons_seen

        def pictures() -> Iterator[VideoFrame]:
            while (frame := read(self._source)) is not None:
                yield VideoFrame(frame.grab.number, frame.grab.time_s, frame.image)

        for seen in analyse(pictures(), self._detector, self._tracker):
            frame = seen.frame
            record = persons_seen(self._camera.name, frame.index, frame.time_s, seen.tracks, seen.ended)
            self.crossings += sum(isinstance(fact, Visit) for fact in self._store.persons(record))
            yield len(record.persons)


def _perform(job: ThroughputJob, answer: Connection) -> None:
    """Run one repetition in this process and send its Run, or a sentence."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job.threads])
    try:
        answer.send(_timed(job))
    except TagsightError as error:
        answer.send(str(error))


def _timed(job: ThroughputJob) -> ThroughputRun:
    from bench.runtime.peer_loop import PeerLoop

    ours = job.loop == "ours"
    loop = OurLoop(job) if ours else PeerLoop(job.clip, job.peer_weights, job.threads, CLIP_FPS)
    people: list[int] = []
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    for count in loop.frames():
        people.append(count)
        if len(people) == job.frames:
            break
    wall_s, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
    return ThroughputRun(len(people), wall_s, cpu_s, statistics.fmean(people), loop.crossings)


def repetition(job: ThroughputJob) -> ThroughputRun:
    """One repetition in a fresh process. Raises TagsightError where it fails or takes too long."""
    answer = answer_of(_perform, job, fault=f"the {job.loop} loop failed")
    assert isinstance(answer, ThroughputRun)
    return answer


@click.command()
@click.option("--clip", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Video file.")
@click.option("--detector", default=DEFAULT_WEIGHTS, show_default=True, help="Ours: engine or .onnx file.")
@click.option("--peer-weights", type=click.Path(path_type=Path), help="The peer's YOLOX-nano, .onnx.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 64), help="Cores for each.")
@click.option("--repetitions", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--frames", default=795, show_default=True, type=click.IntRange(10), help="Frames of the clip.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def throughput(
    clip: Path | None,
    detector: str,
    peer_weights: Path | None,
    threads: int,
    repetitions: int,
    frames: int,
    as_json: bool,
) -> None:
    """Decode, detect, track and count: ours against the usual loop.

    \b
    Example:
      tagsight bench throughput --threads 2
    """
    clip = clip or sample_clip()
    weights = peer_weights or shared_file("det-yolox-nano/yolox_nano.onnx", "--peer-weights")
    runs: dict[str, list[ThroughputRun]] = {"ours": [], "peer": []}
    for _ in range(repetitions):
        for loop, done in runs.items():
            done.append(repetition(ThroughputJob(loop, clip, weights, detector, threads, frames)))
    _print(runs, threads, as_json)


def _print(runs: dict[str, list[ThroughputRun]], threads: int, as_json: bool) -> None:
    fps = {loop: statistics.median(run.fps for run in done) for loop, done in runs.items()}
    cpu_ms = {loop: statistics.median(run.cpu_ms for run in done) for loop, done in runs.items()}
    turns = list(zip(runs["ours"], runs["peer"], strict=True))
    ratio = statistics.median(ours.fps / peer.fps for ours, peer in turns)
    cpu_ratio = statistics.median(peer.cpu_ms / ours.cpu_ms for ours, peer in turns)
    if as_json:
        answer = {
            "machine": platform.machine(),
            "cores": threads,
            "load": os.getloadavg()[0],
            "fps": fps,
            "cpu_ms_per_frame": cpu_ms,
            "ratio": ratio,
            "cpu_ratio": cpu_ratio,
            "runs": {loop: [asdict(run) for run in done] for loop, done in runs.items()},
        }
        click.echo(json.dumps(answer, indent=2))
        return
    table = Table("loop", "frames/s", "of each run", "CPU ms/frame", "people/frame", "crossings")
    for loop, done in runs.items():
        each = " ".join(f"{run.fps:.1f}" for run in done)
        people, crossings = done[-1].people, str(done[-1].crossings)
        table.add_row(loop, f"{fps[loop]:.1f}", each, f"{cpu_ms[loop]:.1f}", f"{people:.2f}", crossings)
    Console().print(table)
    click.echo(f"{threads} cores, load {os.getloadavg()[0]:.1f}; medians of {len(runs['ours'])} runs in turn")
    each = ", ".join(f"{ours.fps / peer.fps:.2f}" for ours, peer in turns)
    click.echo(
        f"ours / peer: {ratio:.2f} x the frame rate (goal {GOAL:.0f}; turns {each}), "
        f"{cpu_ratio:.2f} x less CPU a frame"
    )
