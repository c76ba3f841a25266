"""`tagsight bench soak`: the daemon on the plaza for a long time; memory, descriptors and threads over it.

The baseline is the same daemon a minute after it was ready, when every buffer has been filled once: a
figure that is flat stays near 1 times that.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from runtime.config import load
from runtime.demo.listener import Listener
from runtime.demo.plaza import Opened, find_clip, open_plaza
from runtime.uplink.broker import LocalBroker
from runtime.uplink.events import Event

WARM_UP_S = 60.0
SAMPLE_EVERY_S = 5.0
STARTED = re.compile(r"(\S+) started, pid (\d+)")
MB = 1e6


@dataclass(frozen=True)
class Sample:
    """One process at one moment; `memory` is what it has written for itself alone, in bytes."""

    memory: int
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Course:
    """One process over the soak: figures after the warm-up, the highest since, and at the end."""

    process: str
    warm_mb: float
    highest_mb: float
    end_mb: float
    ratio: float
    descriptors: tuple[int, int]
    threads: tuple[int, int]


def sample(pid: int) -> Sample | None:
    """Figures of one process; None where it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return None
    private = re.search(r"^Private_Dirty:\s+(\d+) kB", rollup, re.MULTILINE)
    return None if private is None else Sample(int(private.group(1)) * 1024, descriptors, threads)


def sample_all(plaza: Opened) -> dict[str, Sample]:
    """Figures of the supervisor and every process that it has started last."""
    pids = {name: int(pid) for name, pid in STARTED.findall(plaza.log.read_text(errors="replace"))}
    pids["supervisor"] = plaza.daemon.pid
    found = {name: sample(pid) for name, pid in pids.items()}
    return {name: one for name, one in found.items() if one is not None}


def course_of(process: str, samples: list[Sample]) -> Course:
    """What became of one process from its first sample after the warm-up to its last."""
    first, last = samples[0], samples[-1]
    return Course(
        process,
        round(first.memory / MB, 1),
        round(max(one.memory for one in samples) / MB, 1),
        round(last.memory / MB, 1),
        round(last.memory / first.memory, 3),
        (first.descriptors, last.descriptors),
        (first.threads, last.threads),
    )


def watch(plaza: Opened, seconds: float, tell: Callable[[str], None]) -> dict[str, list[Sample]]:
    """Sample every process from the end of the warm-up on, for `seconds`."""
    time.sleep(WARM_UP_S)
    samples: dict[str, list[Sample]] = {}
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        plaza.check()
        for name, one in sample_all(plaza).items():
            samples.setdefault(name, []).append(one)
        total = sum(course[-1].memory for course in samples.values())
        tell(f"{end_s - time.monotonic():.0f} s to go, {total / MB:.0f} MB in all")
        time.sleep(SAMPLE_EVERY_S)
    return samples


@click.command()
@click.option("--seconds", default=600.0, show_default=True, help="How long, after a minute of warm-up.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def soak(seconds: float, as_json: bool) -> None:
    """Run the daemon on the looped clip and a simulated reader; memory, descriptors and threads over time.

    \b
    Example:
      tagsight bench soak --seconds 600
    """
    console = Console(stderr=as_json)
    seen = 0

    def count(event: Event) -> None:
        nonlocal seen
        seen += 1

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagsight-soak-")))
        broker = stack.enter_context(LocalBroker())
        plaza = stack.enter_context(open_plaza(folder, find_clip(), broker.port))
        site = load(plaza.config).site
        listener = Listener(broker.host, broker.port, site.name, site.device, folder / "events.jsonl", count)
        stack.callback(listener.close)
        status = stack.enter_context(console.status("warming up"))
        samples = watch(plaza, seconds, status.update)
        stop_s = plaza.stop()
    courses = [course_of(name, course) for name, course in sorted(samples.items())]
    if as_json:
        figures = {"seconds": seconds, "events": seen, "stop_s": round(stop_s, 2)}
        click.echo(json.dumps({**figures, "processes": [asdict(course) for course in courses]}))
        return
    table = Table("process", "MB warm", "highest", "end", "end / warm", "descriptors", "threads")
    for course in courses:
        figures_of = (course.warm_mb, course.highest_mb, course.end_mb, course.ratio)
        pairs = (f"{first} to {last}" for first, last in (course.descriptors, course.threads))
        table.add_row(course.process, *map(str, figures_of), *pairs)
    console.print(table)
    console.print(
        f"{seconds:.0f} s after a warm-up of {WARM_UP_S:.0f} s, {seen} events, stopped in {stop_s:.1f} s"
    )
