"""`tagsight bench soak`: the daemon on four looped cameras and a reader for a long time, while things break.

Faults strike at random (`faults`); memory, descriptors and threads of every process are sampled;
at the end the cloud's account is audited against the box's disk.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bench.inputs import sample_clip
from bench.reliability.soak.faults import Faults
from bench.reliability.soak.plot import draw
from bench.reliability.soak.record import TO_THE_END, WARM_UP_S, SoakReport, Watch, save
from bench.reliability.soak.store import open_store
from broker.mosquitto import find_mosquitto
from runtime.frames.opening import open_source
from runtime.frames.sources import read
from tagsight.errors import TagsightError

QUIET_S = 60.0
"""No faults at the end, so that everything is running again when it is stopped."""
TABLE_COLUMNS = 110
INTERRUPTED = "interrupted"


def check_parts(clip: Path, out: Path | None) -> None:
    """Raises TagsightError where something is missing that the soak would find missing only later."""
    find_mosquitto()
    picture = read_first(clip)
    if picture is None:
        raise TagsightError(f"{clip}: no picture in it; give a video with --clip")
    if out is None:
        return
    if importlib.util.find_spec("matplotlib") is None:
        raise TagsightError("drawing needs matplotlib: pip install 'tagsight[train]', or leave --out away")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise TagsightError(f"--out {out}: {error.strerror}; give a folder of yours") from error


def read_first(clip: Path) -> object:
    """The first picture of a clip; None where there is none. Raises FrameError where it cannot be opened."""
    source = open_source(f"file:{clip.absolute()}")
    try:
        return read(source)
    finally:
        source.close()


def run_soak(
    folder: Path,
    clip: Path,
    seconds: float,
    analysis_fps: float,
    fault_every_s: float | None,
    seed: int,
    plot: Path | None,
    record: Path,
    tell: Callable[[str], None],
) -> SoakReport:
    """Soak the daemon; `fault_every_s` None breaks nothing. The figures so far are always in `record`.

    What ends it early stands in the report; a fault of this program is raised again once that is saved.
    """
    with open_store(folder, clip, analysis_fps) as store:
        watch = Watch(store, record)
        faults: Faults | None = None
        ended, fault = TO_THE_END, None
        try:
            watch.go_on(time.monotonic() + WARM_UP_S, None, tell)
            end_s = time.monotonic() + seconds
            if fault_every_s is not None:
                faults = Faults(store, fault_every_s, seed, time.monotonic())
                watch.go_on(end_s - QUIET_S, faults, tell)
                faults.mend_all()
            watch.go_on(end_s, None, tell)
        except KeyboardInterrupt:
            ended = INTERRUPTED
        except TagsightError as error:
            ended = str(error)
        except Exception as error:  # noqa: BLE001 - raised again below
            ended, fault = f"a fault of the soak itself: {type(error).__name__}: {error}", error
        tell("stopping")
        save(watch.report(ended), record)
        if faults is not None:
            faults.mend_all()
        report = watch.close(ended)
        save(report, record)
        if plot is not None:
            draw(watch.samples, watch.strikes, watch.begin_s, plot)
        if fault is not None:
            raise fault
        return report


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
    video = clip or sample_clip()
    check_parts(video, out)
    # An end from outside is an end like Ctrl-C: what was measured is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="tagsight-soak-" if out is None else "box-", dir=out))
    record = (out or folder) / "soak.json"
    every_s = None if no_faults else fault_every
    plot = None if out is None else out / "soak.png"
    try:
        with console.status("starting") as status:
            report = run_soak(
                folder, video, seconds, analysis_fps, every_s, seed, plot, record, status.update
            )
    except BaseException:
        console.print(f"what there is of it is in {folder}")
        raise
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        print_report(report, console)
    if report.sound and out is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        console.print(f"figures: {record}; the box's files: {folder}")
    if not report.sound:
        raise SystemExit(130 if report.ended.startswith(INTERRUPTED) else 1)


def print_report(report: SoakReport, console: Console) -> None:
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
    console.print(f"faults in {report.seconds:.0f} s: {faults}")
    account = report.account
    if report.ended:
        console.print(f"it did not go to the end: {report.ended}")
    if account is None:
        console.print("events: what arrived of them could not be told")
    else:
        console.print(
            f"events: {account.on_disk} on disk, {account.received} in the cloud, "
            f"{account.named_in_gaps} named in gaps, {account.waiting} waiting, {account.lost} lost; "
            f"{account.came_again} came again, {account.kept_twice} kept twice"
        )
    stopped = "did not stop in order" if report.stop_s is None else f"stopped in {report.stop_s:.1f} s"
    console.print(
        f"{report.starts} starts, {report.tracebacks} tracebacks, {report.crash_reports} crash reports, "
        f"{stopped}"
    )
