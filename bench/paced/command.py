"""`tagsight bench density --paced`: how many network cameras the daemon carries here, in real time."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.gpu.figures import Percentiles
from bench.inputs import sample_clip, shared_file
from bench.paced import trial
from bench.paced.rule import PacedFigures
from bench.runtime.camera import as_film
from broker.mosquitto import find_mosquitto
from engines.backends import cpu
from engines.inference.detector import DEFAULT_WEIGHTS
from runtime.frames.opening import open_source
from runtime.frames.sources import read
from tagsight.errors import TagsightError

CAMERAS = (4, 8, 12)
SECONDS = 600.0
FPS = 10
SIZE = (768, 576)
LABELLED = "video-mot15-pets09-s2l1/PETS09-S2L1.mp4"
TELLING_FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm")


class PacedReport(msgspec.Struct, frozen=True):
    """What was tried on what machine."""

    detector: str
    picture: str
    cores: int
    machine: str
    flags: list[str]
    """Of the CPU, those that decide how fast a network is."""
    results: list[PacedFigures]
    carried: int
    """The greatest number of those tried that holds, with all smaller ones."""


def run(
    on: str,
    numbers: Sequence[int],
    seconds: float,
    size: tuple[int, int] | None,
    clip: Path | None,
    as_json: bool,
) -> None:
    """Try the numbers, smallest first, until one does not hold. Raises TagsightError."""
    if on != "processor":
        raise TagsightError("--paced is for --on processor: with a GPU the daemon takes that by itself")
    find_mosquitto()
    console = Console(stderr=True)
    folder = Path(tempfile.mkdtemp(prefix="tagsight-paced-"))
    results: list[PacedFigures] = []
    try:
        with console.status("making the film") as status:
            film = film_of(clip, size or SIZE, folder)
            turn_s = film.pictures / film.fps
            alone = trial.run(
                film,
                1,
                max(seconds if 1 in numbers else 0.0, turn_s),
                DEFAULT_WEIGHTS,
                folder / "1",
                status.update,
            )
            for number in numbers:
                seen = (
                    alone
                    if number == 1
                    else trial.run(
                        film, number, seconds, DEFAULT_WEIGHTS, folder / str(number), status.update
                    )
                )
                results.append(trial.judged(film, number, seen, alone))
                if not results[-1].holds:
                    break
    except BaseException:
        console.print(f"what there is of it is in {folder}")
        raise
    shutil.rmtree(folder, ignore_errors=True)
    report = PacedReport(
        detector=DEFAULT_WEIGHTS,
        picture=f"{film.size[0]} x {film.size[1]} H.264, {film.fps:g} a second",
        cores=cpu.available_threads(),
        machine=platform.machine(),
        flags=[flag for flag in TELLING_FLAGS if flag in cpu.features()],
        results=results,
        carried=max((result.cameras for result in results if result.holds), default=0),
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        _print(report)


def film_of(clip: Path | None, size: tuple[int, int], folder: Path) -> trial.Film:
    """What the cameras are to show: the labelled clip of the development data, the sample clip, or `clip`.

    A `gt.txt` beside a clip of that picture size is its truth.
    """
    if clip is None:
        try:
            clip = shared_file(LABELLED, "--clip")
        except TagsightError:
            clip = sample_clip()
    pictures = 0
    with closing(open_source(f"file:{clip}?pace=fast")) as source:
        while read(source) is not None:
            pictures += 1
    if not pictures:
        raise TagsightError(f"{clip}: no picture in it; give a video with --clip")
    path = as_film(clip, size, folder / "film.264", pictures, FPS)
    truth = clip.with_name("gt.txt")
    labelled = truth.exists() and size == source.size
    return trial.Film(path, size, FPS, pictures, np.loadtxt(truth, delimiter=",") if labelled else None)


def _print(report: PacedReport) -> None:
    table = Table(
        "cameras",
        "holds",
        "pictures",
        "to event, ms",
        "to broker, ms",
        "MOTA (alone)",
        "CPU ms a frame",
        "cores",
        "MB",
        "load",
    )
    for one in report.results:
        mota = "no truth" if one.mota is None else f"{one.mota:.3f} ({one.mota_alone:.3f})"
        table.add_row(
            str(one.cameras),
            "yes" if one.holds else "no",
            f"{one.least_share:.1%}",
            _shown(one.capture_to_event_ms),
            _shown(one.capture_to_broker_ms),
            mota,
            f"{one.processor_ms:.1f}",
            f"{one.cores_used:.2f}",
            f"{one.memory_mb:.0f} ({one.memory_growth:+.1%})",
            f"{one.load:.1f}",
        )
    Console(width=max(130, Console().width)).print(table)
    for one in report.results:
        click.echo(
            f"{one.cameras} cameras, {one.seconds:g} s: {one.visits} visits, "
            f"{one.visits_alone:.1f} by one alone; "
            f"beside {one.cores_for_cameras:.2f} cores for playing the cameras; in ms of CPU a frame"
        )
        for kind, ms in one.processor_ms_by_kind.items():
            within = ", ".join(
                f"{part} {part_ms:.2f}" for part, part_ms in one.processor_ms_by_part[kind].items()
            )
            click.echo(f"  {kind} {ms:.2f}: {within}")
        for rule in one.broken:
            click.echo(f"  not carried: {rule}")
    click.echo(
        f"{report.picture}; {report.detector}; {report.cores} cores of {report.machine} "
        f"({' '.join(report.flags) or 'no telling flags'}); p50/p95/p99"
    )


def _shown(span: Percentiles | None) -> str:
    return "no visit" if span is None else f"{span.p50:.0f}/{span.p95:.0f}/{span.p99:.0f}"
