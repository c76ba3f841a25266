"""A network camera: CPU time of a frame, ours against OpenCV's VideoCapture, and what ours is made of.

A camera in a process of its own plays a clip over RTSP, at the rate of `--fps`. Ours (`StreamSource`) and the
peer watch it in turn, each repetition in a fresh process that decodes with one thread: once every picture is
brought as BGR into an array of the caller's, once only decoded, as for pictures above the analysis rate. So
do the parts that ours is built of: a bare loop of PyAV, and `VideoReader`, which also says what is damaged.
Then the same by a whole camera process, with the ring and a reader that gives each picture back at once.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.inputs import sample_clip
from bench.runtime import camera_process
from bench.runtime.decoding import Image, OpenCv
from bench.runtime.fresh_process import answer_of
from tagsight.errors import TagsightError

WARM_UP = 30
CLIP_PICTURES = 120
LIVE_OPTIONS = "rtsp_transport;tcp|allowed_media_types;video"
BARE_OPTIONS = {"rtsp_transport": "tcp", "allowed_media_types": "video"}


class OurCamera:
    """`StreamSource`, as a camera process reads."""

    def __init__(self, uri: str) -> None:
        from runtime.frames.opening import open_source

        self._source = open_source(uri)
        self.size = self._source.size

    def grab(self) -> bool:
        return self._source.grab() is not None

    def retrieve(self, into: Image) -> Image | None:
        return self._source.retrieve(into)


class TakenApart:
    """`VideoReader` alone: no clock of the camera, no look at its description."""

    def __init__(self, uri: str) -> None:
        from runtime.frames.video.demux import VideoReader

        self._video = VideoReader(uri, BARE_OPTIONS, (5.0, 5.0))
        self.size = self._video.size

    def grab(self) -> bool:
        self._picture = self._video.read()
        return self._picture is not None

    def retrieve(self, into: Image) -> Image | None:
        return None if self._picture is None else self._video.pixels(self._picture, into)


class BarePyav:
    """As short a loop as PyAV allows; with time limits, which it looks at before each read of the socket."""

    def __init__(self, uri: str) -> None:
        import av

        from runtime.frames.video.pixels import Pixels

        av.logging.set_level(None)
        container = av.open(uri, options=BARE_OPTIONS, timeout=(5.0, 5.0))
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        self._frames = (frame for packet in container.demux(stream) for frame in packet.decode())
        self._pixels = Pixels()
        self.size = stream.codec_context.width, stream.codec_context.height

    def grab(self) -> bool:
        self._frame = next(self._frames, None)
        return self._frame is not None

    def retrieve(self, into: Image) -> Image | None:
        return None if self._frame is None else self._pixels.bgr(self._frame, self.size, into)


CAMERA_READERS: dict[str, Callable[[str], OurCamera | TakenApart | BarePyav | OpenCv]] = {
    "ours": OurCamera,
    "taken apart": TakenApart,
    "bare PyAV": BarePyav,
    "opencv": OpenCv,
}


def as_film(
    clip: Path, size: tuple[int, int], path: Path, pictures: int = CLIP_PICTURES, fps: int = 25
) -> Path:
    """The beginning of a clip as a bare stream of H.264, as cameras send it: no pictures out of order.

    A key picture comes every second.
    """
    import av

    with av.open(str(clip)) as source, av.open(str(path), "w", format="h264") as film:
        stream = film.add_stream("libx264", rate=fps, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = fps, 0
        for number, frame in enumerate(source.decode(video=0)):
            if number == pictures:
                break
            shown = frame.reformat(*size, format="yuv420p")
            shown.pts, shown.time_base = number, Fraction(1, fps)
            film.mux(stream.encode(shown))
        film.mux(stream.encode(None))
    return path


def _play(film: Path, fps: float, answer: Connection) -> None:
    from testing.cameras.fake_camera import FakeCamera
    from testing.cameras.manner import Manner
    from testing.cameras.packets import access_units

    with FakeCamera(access_units(film.read_bytes()), Manner(fps=fps)) as camera:
        answer.send(camera.uri())
        answer.recv()


@contextmanager
def playing(film: Path, fps: float) -> Iterator[str]:
    """The address of a camera that plays the film again and again."""
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_play, args=(film, fps, there), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join(5.0)


def _watch(reader: str, uri: str, pictures: int, answer: Connection) -> None:
    """Send milliseconds of CPU time a picture, (as BGR, decoded only), or a sentence."""
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = LIVE_OPTIONS
    from runtime.frames.video import opencv

    opencv.use_one_thread()
    try:
        source = CAMERA_READERS[reader](uri)
    except TagsightError as error:
        answer.send(str(error))
        return
    slot = np.zeros((source.size[1], source.size[0], 3), np.uint8)
    figures = []
    for as_bgr in (True, False):
        begun_s = 0.0
        for number in range(WARM_UP + pictures):
            if number == WARM_UP:
                begun_s = time.process_time()
            if not source.grab() or (as_bgr and source.retrieve(slot) is None):
                answer.send(f"{reader} gets no pictures")
                return
        figures.append((time.process_time() - begun_s) / pictures * 1e3)
    answer.send(figures)


def cost(reader: str, uri: str, pictures: int) -> tuple[float, float]:
    """One repetition in a fresh process: (as BGR, decoded only), ms a frame. Raises TagsightError."""
    as_bgr, decoded = cast(
        "list[float]", answer_of(_watch, reader, uri, pictures, fault=f"{reader} cannot be measured")
    )
    return as_bgr, decoded


@click.command()
@click.option("--clip", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Video file.")
@click.option("--size", default=(640, 360), show_default=True, nargs=2, type=click.IntRange(16, 7680))
@click.option("--fps", default=50.0, show_default=True, type=click.FloatRange(1, 1000), help="Of the camera.")
@click.option(
    "--pictures", default=250, show_default=True, type=click.IntRange(10), help="In each repetition."
)
@click.option("--repetitions", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def camera(
    clip: Path | None, size: tuple[int, int], fps: float, pictures: int, repetitions: int, as_json: bool
) -> None:
    """Watch a network camera on this machine: CPU time of a frame.

    \b
    Example:
      tagsight bench camera --size 1280 720
    """
    runs: dict[str, list[tuple[float, float]]] = {reader: [] for reader in CAMERA_READERS}
    whole: list[float] = []
    with tempfile.TemporaryDirectory(prefix="tagsight-camera-") as folder:
        film = as_film(clip or sample_clip(), size, Path(folder) / "film.264")
        with playing(film, fps) as uri:
            for _ in range(repetitions):
                for reader, found in runs.items():
                    found.append(cost(reader, uri, pictures))
                whole.append(camera_process.cost_ms(uri, size, fps, pictures, WARM_UP))
    medians = {
        reader: {
            "bgr_ms": statistics.median(as_bgr for as_bgr, _ in found),
            "decode_ms": statistics.median(decoded for _, decoded in found),
        }
        for reader, found in runs.items()
    }
    load = os.getloadavg()[0]
    if as_json:
        answer = {"load": load, "size": size, "costs": medians, "process_ms": statistics.median(whole)}
        click.echo(json.dumps(answer, indent=2))
        return
    table = Table("reader", "as BGR, ms CPU", "only decoded, ms CPU")
    for reader, one in medians.items():
        table.add_row(reader, f"{one['bgr_ms']:.2f}", f"{one['decode_ms']:.2f}")
    table.add_row("camera process", f"{statistics.median(whole):.2f}", "")
    Console().print(table)
    click.echo(
        f"{size[0]} x {size[1]}, RTSP over TCP, one thread, medians of {repetitions} in turn; load {load:.1f}"
    )
