"""Decoding a file: ours (FFmpeg through PyAV) against OpenCV's VideoCapture, which has an FFmpeg of its own.

Costs are measured on `--clip` in a process for each repetition, ours and the peer's in turn, with one thread:
CPU time of a frame that is only decoded, as for frames above the analysis rate, and of one that is
brought as BGR into an array of the caller's, or, scaled to three quarters, into a smaller one (OpenCV by
`cv2.resize` with areas, ours as it changes the colours); then how long it takes to import the library, and to
open the clip up to its first picture.

Rightness is measured on small films made for it, whose picture k shows the grey level of k: how many pictures
are there, show what they should, and have the time they should.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.inputs import sample_clip
from bench.runtime.fresh_process import answer_of
from tagsight.errors import TagsightError

READERS = ("ours", "opencv")
LEVEL_TOLERANCE = 4
"""Grey levels that coding may change."""
TIME_TOLERANCE_S = 0.005

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class DecodingCost:
    """What a reader takes of one clip."""

    import_ms: float
    first_ms: float
    decode_ms: float
    """CPU time of a frame that is not looked at."""
    bgr_ms: float
    """CPU time of a frame brought into an array."""
    scaled_ms: float
    """Processor time of a frame brought into an array of three quarters of its width and height."""
    rss_mb: float


@dataclass(frozen=True)
class Right:
    """Of the pictures a film has: how many came, showed what they should, came with the right time."""

    wanted: int
    came: int
    shown: int
    timed: int


class OurDecoder:
    """`FileSource`, as `tagsight video` reads."""

    def __init__(self, path: Path) -> None:
        from runtime.frames.opening import open_source

        self._source = open_source(f"file:{path}?pace=fast")
        self.size = self._source.size
        self._time_s = 0.0

    def grab(self) -> bool:
        grab = self._source.grab()
        self._time_s = self._time_s if grab is None else grab.time_s
        return grab is not None

    def retrieve(self, into: Image) -> Image | None:
        return self._source.retrieve(into)

    def retrieve_scaled(self, into: Image) -> bool:
        return self._source.retrieve(into) is into

    def time_s(self) -> float:
        return self._time_s

    def close(self) -> None:
        self._source.close()


class OpenCv:
    """`cv2.VideoCapture`, with one thread; of a file or of an address."""

    def __init__(self, path: Path | str) -> None:
        import cv2

        self._position = cv2.CAP_PROP_POS_MSEC
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        width, height = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
        self.size = int(self._capture.get(width)), int(self._capture.get(height))
        self._whole = np.zeros((self.size[1], self.size[0], 3), np.uint8)

    def grab(self) -> bool:
        return bool(self._capture.grab())

    def retrieve(self, into: Image) -> Image | None:
        there, image = self._capture.retrieve(into)
        return np.asarray(image, np.uint8) if there and image is not None else None

    def retrieve_scaled(self, into: Image) -> bool:
        import cv2

        there, _ = self._capture.retrieve(self._whole)
        cv2.resize(self._whole, into.shape[1::-1], dst=into, interpolation=cv2.INTER_AREA)
        return bool(there)

    def time_s(self) -> float:
        return float(self._capture.get(self._position)) / 1e3

    def close(self) -> None:
        self._capture.release()


def _open(reader: str, path: Path) -> OurDecoder | OpenCv:
    return OurDecoder(path) if reader == "ours" else OpenCv(path)


def _measure(reader: str, path: Path, frames: int, answer: Connection) -> None:
    """Send the Cost of one repetition, measured in this process, or a sentence."""
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    begun_s = time.perf_counter()
    if reader == "ours":
        import av  # noqa: F401
    else:
        import cv2  # noqa: F401
    import_ms = (time.perf_counter() - begun_s) * 1e3
    from runtime.frames.files import playback  # noqa: F401
    from runtime.frames.hardware import csi, video_engine  # noqa: F401
    from runtime.frames.live import streams  # noqa: F401

    begun_s = time.perf_counter()
    try:
        source = _open(reader, path)
    except TagsightError as error:
        answer.send(str(error))
        return
    slot = np.zeros((source.size[1], source.size[0], 3), np.uint8)
    if not source.grab() or source.retrieve(slot) is None:
        answer.send(f"{path}: {reader} decodes nothing of it")
        return
    first_ms = (time.perf_counter() - begun_s) * 1e3
    decode_ms = _cpu_ms(source.grab() for _ in range(frames))
    source.close()
    source = _open(reader, path)
    bgr_ms = _cpu_ms(source.grab() and source.retrieve(slot) is not None for _ in range(frames))
    rss_mb = _rss_mb()
    source.close()
    source, small = (
        _open(reader, path),
        np.zeros((source.size[1] * 3 // 4, source.size[0] * 3 // 4, 3), np.uint8),
    )
    scaled_ms = _cpu_ms(source.grab() and source.retrieve_scaled(small) for _ in range(frames))
    answer.send(DecodingCost(import_ms, first_ms, decode_ms, bgr_ms, scaled_ms, rss_mb))


def _cpu_ms(frames: Iterator[bool]) -> float:
    begun_s = time.process_time()
    count = sum(1 for there in frames if there)
    return (time.process_time() - begun_s) / max(1, count) * 1e3


def _rss_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cost(reader: str, path: Path, frames: int) -> DecodingCost:
    """One repetition in a fresh process. Raises TagsightError."""
    answer = answer_of(_measure, reader, path, frames, fault=f"{reader} cannot be measured")
    assert isinstance(answer, DecodingCost)
    return answer


def right(reader: str, path: Path, levels: list[int], times_s: list[float]) -> Right:
    """How the film comes out: its picture k should have `levels[k]` at `times_s[k]`."""
    try:
        source = _open(reader, path)
    except TagsightError:
        return Right(len(levels), 0, 0, 0)
    slot = np.zeros((max(1, source.size[1]), max(1, source.size[0]), 3), np.uint8)
    came = shown = timed = 0
    while source.grab():
        image = source.retrieve(slot)
        if image is not None and came < len(levels):
            shown += abs(float(np.median(image)) - levels[came]) <= LEVEL_TOLERANCE
            timed += abs(source.time_s() - times_s[came]) <= TIME_TOLERANCE_S
        came += 1
    return Right(len(levels), came, shown, timed)


@click.command()
@click.option("--clip", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Video file.")
@click.option("--frames", default=250, show_default=True, type=click.IntRange(10), help="Frames of the clip.")
@click.option("--repetitions", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def decoding(clip: Path | None, frames: int, repetitions: int, as_json: bool) -> None:
    """Decode a file: CPU time, and whether pictures and times are right.

    \b
    Example:
      tagsight bench decoding --clip door.mp4
    """
    from bench.runtime import films

    clip = clip or sample_clip()
    runs: dict[str, list[DecodingCost]] = {reader: [] for reader in READERS}
    for _ in range(repetitions):
        for reader, costs in runs.items():
            costs.append(cost(reader, clip, frames))
    kinds: dict[str, dict[str, Right]] = {}
    with tempfile.TemporaryDirectory(prefix="tagsight-decoding-") as folder:
        for kind, (path, levels, times_s) in films.make_all(Path(folder)).items():
            kinds[kind] = {reader: right(reader, path, levels, times_s) for reader in READERS}
    medians = {reader: _medians(costs) for reader, costs in runs.items()}
    if as_json:
        shown = {
            kind: {reader: asdict(each) for reader, each in both.items()} for kind, both in kinds.items()
        }
        click.echo(json.dumps({"load": os.getloadavg()[0], "costs": medians, "kinds": shown}, indent=2))
        return
    _print(medians, kinds, clip, repetitions)


def _medians(costs: list[DecodingCost]) -> dict[str, float]:
    return {name: statistics.median(asdict(each)[name] for each in costs) for name in asdict(costs[0])}


def _print(
    medians: dict[str, dict[str, float]], kinds: dict[str, dict[str, Right]], clip: Path, repetitions: int
) -> None:
    import av
    import cv2

    table = Table(
        "reader",
        "decoded, ms CPU",
        "as BGR, ms CPU",
        "as BGR at 3/4, ms CPU",
        "import, ms",
        "first picture, ms",
        "memory, MB",
    )
    for reader, one in medians.items():
        names = ("decode_ms", "bgr_ms", "scaled_ms", "import_ms", "first_ms", "rss_mb")
        table.add_row(
            reader, *(f"{one[name]:.2f}" if name.endswith("ms") else f"{one[name]:.0f}" for name in names)
        )
    console = Console()
    console.print(table)
    click.echo(
        f"{clip.name}, one thread, medians of {repetitions} in turn; load {os.getloadavg()[0]:.1f}; "
        f"av {av.__version__}, OpenCV {cv2.__version__}"
    )
    table = Table("film", "pictures", *(f"{reader}: came, right, at the right time" for reader in READERS))
    for kind, both in kinds.items():
        cells = (f"{each.came}, {each.shown}, {each.timed}" for each in both.values())
        table.add_row(kind, str(both["ours"].wanted), *cells)
    console.print(table)
