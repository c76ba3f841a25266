"""`tagsight bench soak`: the daemon on four looped cameras and a reader for a long time, while things break.

Faults strike at random (`bench.soak_faults`); memory, descriptors and threads of every process are sampled;
at the end the cloud's account is audited against the box's disk.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench.inputs import sample_clip
from bench.soak_faults import Faults
from bench.soak_figures import MB, Course, Sample, course_of, sample_all
from bench.soak_plot import draw
from bench.soak_store import Account, SoakStore, open_store

WARM_UP_S = 60.0
QUIET_S = 60.0
"""No faults at the end, so that everything is running again when it is stopped."""
SAMPLE_EVERY_S = 5.0
TURN_S = 0.5
TABLE_COLUMNS = 110


class Report(msgspec.Struct, frozen=True):
    """What the soak found. `tracebacks` are faults of the program in the daemon's log."""

    seconds: float
    faults: dict[str, int]
    account: Account
    processes: list[Course]
    starts: int
    tracebacks: int
    crash_reports: int
    stop_s: float


class Watch:
    """What is noted while the soak goes on."""

    def __init__(self, store: SoakStore) -> None:
        self.store = store
        self.begin_s = time.monotonic()
        self.samples: dict[str, list[Sample]] = {}
        self.strikes: list[tuple[float, str]] = []
        self._sampled_s = 0.0

    def turn(self, faults: Faults | None) -> None:
        """Mend, strike, sample. Raises TagsightError where the daemon has ended."""
        self.store.check()
        now_s = time.monotonic()
        if faults is not None:
            self.strikes += [(now_s, name) for name, begins in faults.advance(now_s) if begins]
        if now_s - self._sampled_s >= SAMPLE_EVERY_S:
            self._sampled_s = now_s
            for name, one in sample_all(self.store.pids, now_s).items():
                self.samples.setdefault(name, []).append(one)
        time.sleep(TURN_S)

    def go_on(self, until_s: float, faults: Faults | None, tell: Callable[[str], None]) -> None:
        """Turn until the clock says `until_s`."""
        while (left_s := until_s - time.monotonic()) > 0:
            self.turn(faults)
            total = sum(course[-1].memory for course in self.samples.values())
            tell(f"{left_s:.0f} s to go, {total / MB:.0f} MB in all, {len(self.strikes)} faults so far")


def run_soak(
    folder: Path,
    clip: Path,
    seconds: float,
    analysis_fps: float,
    fault_every_s: float | None,
    seed: int,
    plot: Path | None,
    tell: Callable[[str], None],
) -> Report:
    """Soak the daemon; `fault_every_s` None breaks nothing. Raises TagsightError where the daemon ends."""
    with open_store(folder, clip, analysis_fps) as store:
        watch = Watch(store)
        watch.go_on(time.monotonic() + WARM_UP_S, None, tell)
        end_s = time.monotonic() + seconds
        struck: Counter[str] = Counter()
        if fault_every_s is not None:
            faults = Faults(store, fault_every_s, seed, time.monotonic())
            watch.go_on(end_s - QUIET_S, faults, tell)
            faults.mend_all()
            struck = faults.struck
        watch.go_on(end_s, None, tell)
        tell("stopping")
        stop_s = store.stop()
        account = store.account()
        if plot is not None:
            draw(watch.samples, watch.strikes, watch.begin_s, plot)
        courses = (course_of(name, course) for name, course in sorted(watch.samples.items()))
        return Report(
            seconds=seconds,
            faults=dict(sorted(struck.items())),
            account=account,
            processes=[course for course in courses if course is not None],
            starts=store.starts(),
            tracebacks=store.log.read_text(errors="replace").count("Traceback (most recent call last)"),
            crash_reports=len(list((folder / "state" / "crash").glob("*.trace"))),
            stop_s=round(stop_s, 2),
        )


@click.command()
@click.option("--seconds", default=600.0, show_default=True, help="How long, after a minute of warm-up.")
@click.option("--analysis-fps", default=3.0, show_default=True, help="Pictures a second of each camera.")
@click.option("--fault-every", default=30.0, show_default=True, help="Seconds between faults, on average.")
@click.option("--no-faults", is_flag=True, help="Break nothing.")
@click.option("--seed", default=1, show_default=True, help="Of the faults.")
@click.option("--clip", type=click.Path(path_type=Path), help="A video instead of the sample clip.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for soak.json, soak.png and logs."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def soak(
    seconds: float,
    analysis_fps: float,
    fault_every: float,
    no_faults: bool,
    seed: int,
    clip: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Run the daemon on four looped cameras and a simulated reader while things break at random.

    Says what became of memory, descriptors and threads, and whether every event that was on the box's disk
    is in the cloud. The exit code is 1 where one was lost.

    \b
    Example:
      tagsight bench soak --seconds 3600 --out soak-out
    """
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = TABLE_COLUMNS
    with ExitStack() as stack:
        if out is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagsight-soak-")))
        else:
            folder = Path(tempfile.mkdtemp(prefix="box-", dir=_made(out)))
        status = stack.enter_context(console.status("starting"))
        report = run_soak(
            folder,
            clip or sample_clip(),
            seconds,
            analysis_fps,
            None if no_faults else fault_every,
            seed,
            out / "soak.png" if out is not None else None,
            status.update,
        )
    if out is not None:
        (out / "soak.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        print_report(report, console)
    if report.account.lost:
        raise SystemExit(1)


def _made(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    return out


def print_report(report: Report, console: Console) -> None:
    """The figures for people."""
    table = Table(
        "process", "lives", "longest, s", "MB first / most / last", "MB/h", "descriptors", "threads"
    )
    for one in report.processes:
        memory = f"{one.first_mb} / {one.highest_mb} / {one.last_mb}"
        counts = (" / ".join(map(str, figures)) for figures in (one.descriptors, one.threads))
        table.add_row(
            one.process, str(one.lives), f"{one.life_s:.0f}", memory, f"{one.mb_per_hour:+.2f}", *counts
        )
    console.print(table)
    faults = ", ".join(f"{count} x {name}" for name, count in report.faults.items()) or "none"
    account = report.account
    console.print(f"faults in {report.seconds:.0f} s: {faults}")
    console.print(
        f"events: {account.on_disk} on disk, {account.received} in the cloud, {account.named_in_gaps} named "
        f"in gaps, {account.waiting} waiting, {account.lost} lost; {account.came_again} came again, "
        f"{account.kept_twice} kept twice"
    )
    console.print(
        f"{report.starts} starts, {report.tracebacks} tracebacks, {report.crash_reports} crash reports, "
        f"stopped in {report.stop_s:.1f} s"
    )
