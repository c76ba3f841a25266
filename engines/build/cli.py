"""`tagsight engines build`: engines for this machine's GPU."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click
import msgspec
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from engines import backends, catalogue
from engines.backends import tensorrt
from engines.build.compiling.supervised import OnProgress
from engines.build.key import Asked
from engines.cuda.errors import GpuError
from engines.errors import BackendError, BuildError, EngineError

if TYPE_CHECKING:
    from engines.build.builder import BuildOutcome, Request
    from engines.build.site import BuildSite

TOLD_SHARE, TOLD_S = 0.1, 10.0
"""Without a terminal, a line is printed for each tenth, and at least every ten seconds."""
MAX_WAIT_S = 7200.0


class ProgressLines:
    """Progress as plain lines, for a journal."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._told: tuple[float, float] = (0.0, 0.0)

    def __call__(self, took_s: float, done: float | None, phase: str) -> None:
        at_s, share = self._told
        if took_s - at_s < TOLD_S and (done or 0.0) - share < TOLD_SHARE:
            return
        self._told = (took_s, done or 0.0)
        share_text = f"{done:.0%}, " if done is not None else ""
        click.echo(f"{self._title}: {share_text}{took_s:.0f} s, {phase}")


@contextlib.contextmanager
def progress_of(title: str, quiet: bool) -> Iterator[OnProgress]:
    """What to call with (seconds, share, phase): a bar on a terminal, lines elsewhere, nothing if quiet."""
    if quiet:
        yield lambda took_s, done, phase: None
        return
    if not sys.stdout.isatty():
        yield ProgressLines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[phase]}"), transient=True) as bar:
        task = bar.add_task(title, total=None, phase="starting")

        def move(took_s: float, done: float | None, phase: str) -> None:
            bar.update(task, total=1.0 if done is not None else None, completed=done or 0.0, phase=phase)

        yield move


class Stopped(Exception):
    """No fault of one engine: the whole command is to end."""


@contextlib.contextmanager
def stopped_by_signal() -> Iterator[None]:
    """SIGTERM ends the command, nothing half-made stays. Raises BuildError then."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except Stopped as name:
        raise BuildError(f"stopped by {name}; what was in use stays in use") from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _sizes(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[tuple[int, int]]:
    found = [re.fullmatch(r"(\d{2,4})x(\d{2,4})", value) for value in values]
    for value, size in zip(values, found, strict=True):
        if size is None:
            raise click.BadParameter(f"{value!r} is not a size: write it as 416x320", ctx, option)
    return [(int(size[1]), int(size[2])) for size in found if size is not None]


def _target(ctx: click.Context, option: click.Parameter, value: str | None) -> int:
    if value is None:
        return 0
    if not re.fullmatch(r"sm_\d{2,3}", value):
        raise click.BadParameter(f"{value!r}: write a compute capability as sm_86", ctx, option)
    return int(value[3:])


@click.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every engine of the catalogue; what a service runs.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "fp16", "int8"]),
    default="auto",
    show_default=True,
    help="auto: int8 where it was calibrated and accepted, else fp16.",
)
@click.option(
    "--frames",
    type=click.Path(path_type=Path),
    help="Folder with pictures of your own cameras, to calibrate and judge int8 with.",
)
@click.option(
    "--input",
    "sizes",
    metavar="WIDTHxHEIGHT",
    multiple=True,
    callback=_sizes,
    help="Input size in pixels; may be given more than once. Left out: as tight as 4:3 and 16:9 pictures.",
)
@click.option("--batches", default="1,2,4,8,16", show_default=True, help="Batch sizes to optimise for.")
@click.option("--dla", type=click.IntRange(0, 7), help="Core of the deep-learning accelerator to use.")
@click.option(
    "--workspace-mib",
    type=click.IntRange(16, 65_536),
    default=1024,
    show_default=True,
    help="Memory a kernel may want while it runs.",
)
@click.option(
    "--level",
    type=click.IntRange(0, 5),
    default=3,
    show_default=True,
    help="How hard TensorRT searches: 5 may give a faster engine after a longer build.",
)
@click.option(
    "--library",
    type=click.Choice(["auto", *tensorrt.FLAVOURS]),
    default="auto",
    show_default=True,
    help="Which TensorRT.",
)
@click.option(
    "--target",
    metavar="sm_NN",
    callback=_target,
    help="Build for a GPU that is not here (tensorrt_rtx only); it is verified where it is used.",
)
@click.option(
    "--limit-min",
    type=click.FloatRange(0.01, 1440),
    default=60.0,
    show_default=True,
    help="Give up on an engine after so many minutes.",
)
@click.option("--wait", is_flag=True, help="Wait for another builder to finish.")
@click.option("--force", is_flag=True, help="Build even what is up to date.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of lines.")
def build(
    names: tuple[str, ...],
    everything: bool,
    precision: Asked,
    frames: Path | None,
    sizes: list[tuple[int, int]],
    batches: str,
    dla: int | None,
    workspace_mib: int,
    level: int,
    library: tensorrt.LibraryName,
    target: int,
    limit_min: float,
    wait: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Build engines for this machine's GPU, verify them, put them into use. What is up to date is left alone.

    With --all, networks that only the CPU can run are skipped, and it is said why.

    \b
    Example:
      tagsight engines build --all
      tagsight engines build person-detector --precision int8 --frames frames/
    """
    if bool(names) == everything:
        raise click.UsageError("name the engines to build, or give --all")
    if frames is not None and precision != "int8":
        raise click.UsageError("--frames goes with --precision int8")
    tensorrt.check_builder()
    from engines.build import builder, wanted
    from engines.build.site import open_site

    wish = wanted.EngineWish(
        sizes=tuple(sizes),
        precision=precision,
        buckets=wanted.batch_sizes_from(batches),
        workspace_mib=workspace_mib,
        level=level,
        dla_core=dla,
        frames=frames,
        force=force,
        limit_s=60.0 * limit_min,
    )
    chosen = [catalogue.find(name) for name in names] if names else catalogue.known_engines()
    outcomes: list[builder.BuildOutcome] = []
    idle = ""
    try:
        with (
            stopped_by_signal(),
            open_site(library, target) as site,
            site.plans.builder(MAX_WAIT_S if wait else 0.0),
        ):
            for request in wanted.requests(site.plans, chosen, wish):
                outcomes.append(_built(site, request, quiet=as_json))
    except (BackendError, GpuError) as error:
        if not everything:
            raise
        idle = f"nothing to build: {error}; persons are detected by {backends.choose().name} on the CPU"
    if as_json:
        click.echo(msgspec.json.encode({"idle": idle, "engines": outcomes}).decode())
    elif idle:
        click.echo(idle)
    wrong = ("failed",) if everything else ("failed", "skipped")
    failed = [outcome for outcome in outcomes if outcome.ending in wrong]
    if failed:
        raise EngineError(f"{len(failed)} of {len(outcomes)} engines could not be built: {failed[0].why}")


def _built(site: BuildSite, request: Request | BuildOutcome, *, quiet: bool) -> BuildOutcome:
    """Build one, telling how far it is and how it ended."""
    from engines.build import builder

    if isinstance(request, builder.BuildOutcome):
        outcome = request
    else:
        with progress_of(request.title, quiet) as move:
            outcome = builder.build(site, request, _say(request.title, quiet), move)
    if not quiet:
        click.echo(described(outcome))
    return outcome


def _say(title: str, quiet: bool) -> Callable[[str], None]:
    return lambda line: None if quiet else click.echo(f"{title}: {line}")


def described(outcome: BuildOutcome) -> str:
    """One line on what became of an engine."""
    parts: list[str] = [outcome.ending]
    if outcome.built_s is not None:
        parts.append(f"in {outcome.built_s:.1f} s")
    if outcome.verified is not None:
        figures = outcome.verified
        parts.append(
            f"differs from the network by at most {figures.worst:.2g} of its range; {figures.latency_ms:g} ms"
        )
    if outcome.why:
        parts.append(outcome.why)
    return f"{outcome.title}: {', '.join(parts)}"
