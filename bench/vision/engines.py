"""Our networks against the ones they replace, in the same run: speed, and on demand accuracy.

Speed is that of `tagsight video` on a 768 x 576 picture: network, resizing and decoding together. The
networks take turns, a few pictures each, so that a busy machine is busy for all of them. The time is the best
of all turns, which other work disturbs least; the CPU time, over all threads, is the mean.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bench import options
from bench.gpu import engines as engines_gpu
from bench.inputs import shared_file
from bench.vision import accuracy, accuracy_persons
from bench.vision.accuracy import BARS, NANO, SURVEILLANCE, Contender, Rating
from engines.backends import cpu
from engines.inference.detector import DEFAULT_WEIGHTS

PICTURE_WH = (768, 576)
PICTURES_A_TURN = 5
OWED_RATIO = 4.0


@dataclass(frozen=True)
class DetectorSpeed:
    """Milliseconds a frame by the clock and of CPU time; how many times YOLOX-nano's rate that is."""

    detector: str
    precision: str
    input: str
    picture_ms: float
    times_nano: float
    processor_ms: float
    times_nano_processor: float

    @property
    def long_side(self) -> int:
        """The longer side of the network's input, px."""
        return max(int(side) for side in self.input.split(" x "))


@click.command()
@click.option("--accuracy", "with_accuracy", is_flag=True, help="Average precision too (minutes).")
@click.option("--detector", "others", multiple=True, help="Another one, by name or file; repeatable.")
@click.option(
    "--embedder", "embedders", multiple=True, help="--accuracy: another re-identification net; repeatable."
)
@click.option(
    "--drawn",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="--accuracy: drawn people (python -m engines.training.synthetic identities).",
)
@click.option("--persons-only", is_flag=True, help="--accuracy: the nets on single persons alone.")
@click.option("--threads", type=click.IntRange(1, 64), help="Threads of each network; all cores if left out.")
@click.option("--turns", type=click.IntRange(3, 1_000), default=20, show_default=True, help="Turns of each.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the teachers and the labelled sets; ../shared/data if left out.",
)
@click.option("--gpu", "on_gpu", is_flag=True, help="On the GPU: stages, settings, memory, power.")
@click.option("--stand-in", "over", is_flag=True, help="Try --gpu without one; no figure of a GPU.")
@click.option(
    "--picture", default="1920x1080", callback=options.size, show_default=True, help="--gpu: frames."
)
@click.option(
    "--batches", default="1,2,4,8", callback=options.counts, show_default=True, help="--gpu: sizes."
)
@click.option("--rounds", type=click.IntRange(1), default=200, show_default=True, help="--gpu: batches each.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="--gpu: folder for JSON and PNG."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def engines(
    with_accuracy: bool,
    others: tuple[str, ...],
    embedders: tuple[str, ...],
    drawn: Path | None,
    persons_only: bool,
    threads: int | None,
    turns: int,
    data: Path | None,
    on_gpu: bool,
    over: bool,
    picture: tuple[int, int],
    batches: tuple[int, ...],
    rounds: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Detectors: frames a second beside YOLOX-nano, and average precision beside the teachers.

    With --accuracy also the nets that look at single persons: re-identification beside its teachers and plain
    colours, and handling goods on crops labelled by eye.

    \b
    Example:
      tagsight bench engines --accuracy
    """
    if on_gpu or over:
        name = others[0] if others else DEFAULT_WEIGHTS
        engines_gpu.show(name, picture, batches, rounds, out, over=over, as_json=as_json)
        return
    nano = accuracy.TEACHERS[NANO]
    folder = data or shared_file(nano, "--data").parents[1]
    at_once = threads or cpu.available_threads()
    if persons_only:
        found = accuracy_persons.measure(folder, at_once, embedders, drawn)
        if as_json:
            click.echo(json.dumps(accuracy_persons.as_dict(*found)))
        else:
            accuracy_persons.show(*found)
        return
    detectors = accuracy.contenders(folder, at_once, others)
    speeds = measure_speed(detectors, turns)
    ratings: list[Rating] = []
    if with_accuracy:
        for pictures in accuracy.measured_sets(folder, at_once):
            for name, truth in pictures.truths.items():
                judged = [labels for labels in truth if labels is not None]
                persons_there = sum(int((labels.trust > 0).sum()) for labels in judged)
                click.echo(f"{name}: {len(judged)} pictures, {persons_there} persons", err=True)
            ratings += [rating for one in detectors for rating in accuracy.rate(one, pictures)]
    persons = accuracy_persons.measure(folder, at_once, embedders, drawn) if with_accuracy else None
    if as_json:
        figures = {"speed": [asdict(s) for s in speeds], "accuracy": [asdict(r) for r in ratings]}
        click.echo(json.dumps({**figures, **(accuracy_persons.as_dict(*persons) if persons else {})}))
        return
    _print_speeds(speeds)
    if ratings:
        _print_ratings(ratings)
    if persons:
        accuracy_persons.show(*persons)


def measure_speed(detectors: list[Contender], turns: int) -> list[DetectorSpeed]:
    """Every detector on the same noise, in turns."""
    width, height = PICTURE_WH
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    best_s = [float("inf")] * len(detectors)
    processor_s = [0.0] * len(detectors)
    for one in detectors:
        one.detector.detect(picture)
    for _ in range(turns):
        for place, one in enumerate(detectors):
            began_s = time.process_time()
            for _ in range(PICTURES_A_TURN):
                start_s = time.perf_counter()
                one.detector.detect(picture)
                best_s[place] = min(best_s[place], time.perf_counter() - start_s)
            processor_s[place] += (time.process_time() - began_s) / (turns * PICTURES_A_TURN)
    nano = next(place for place, one in enumerate(detectors) if one.name == NANO)
    return [
        DetectorSpeed(
            one.name,
            one.precision,
            " x ".join(map(str, one.detector.input_size_for(width, height))),
            best_s[place] * 1e3,
            best_s[nano] / best_s[place],
            processor_s[place] * 1e3,
            processor_s[nano] / processor_s[place],
        )
        for place, one in enumerate(detectors)
    ]


def _print_speeds(speeds: list[DetectorSpeed]) -> None:
    table = Table("detector", "precision", "input", "ms", "x nano", "CPU ms", "x nano")
    for speed in speeds:
        by_clock = (f"{speed.picture_ms:.1f}", f"{speed.times_nano:.1f}")
        figures = (*by_clock, f"{speed.processor_ms:.1f}", f"{speed.times_nano_processor:.1f}")
        table.add_row(speed.detector, speed.precision, speed.input, *figures)
    Console(width=max(100, Console().width)).print(table)
    ours = [speed for speed in speeds if speed.detector not in accuracy.TEACHERS and speed.long_side == 416]
    best = max(ours, key=lambda speed: speed.times_nano)
    met = "met" if best.times_nano >= OWED_RATIO else "missed"
    click.echo(
        f"owed: {OWED_RATIO:g} x {NANO} at 416; "
        f"{best.detector} in {best.precision}: {best.times_nano:.1f} x, {met}"
    )


def _print_ratings(ratings: list[Rating]) -> None:
    sets = list(dict.fromkeys(rating.data for rating in ratings))
    table = Table("AP at IoU 0.5", "precision", "input", *sets)
    of = {(_who(rating), rating.data): rating for rating in ratings}
    for who in dict.fromkeys(_who(rating) for rating in ratings):
        table.add_row(*who, *(f"{of[who, name].ap50:.3f}" for name in sets))
    Console(width=max(200, Console().width)).print(table)
    for line in verdicts(ratings):
        click.echo(line)


def _who(rating: Rating) -> tuple[str, str, str]:
    return rating.detector, rating.precision, rating.input


def verdicts(ratings: list[Rating]) -> list[str]:
    """A line for each of our detectors and each bar; on surveillance the better teacher is one too."""
    lines = []
    for rating in ratings:
        if not rating.ours or rating.data not in BARS:
            continue
        bars = [(BARS[rating.data], "owed")]
        if rating.data in SURVEILLANCE:
            rivals = [other for other in ratings if not other.ours and other.data == rating.data]
            best = max(rivals, key=lambda other: other.ap50)
            bars.append((best.ap50, f"the better teacher, {best.detector}"))
        for bar, whose in bars:
            met = "met" if round(rating.ap50, 3) >= round(bar, 3) else "missed"
            lines.append(
                f"{rating.detector} in {rating.precision} at {rating.input}, {rating.data}: "
                f"{rating.ap50:.3f}, {bar:.3f} {whose}: {met}"
            )
    return lines
