"""`tagsight demo`: the plaza, or the boutique."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from tagsight.errors import TagsightError


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=10, max=86_400),
    default=60.0,
    show_default=True,
    help="How long to watch once frames and tag reads flow.",
)
@click.option(
    "--store",
    type=click.Choice(["plaza", "boutique"]),
    default="plaza",
    show_default=True,
    help="plaza: a real clip of one camera; boutique: a staged minute of three, everything known.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for the results.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary as JSON; what happens goes to stderr."
)
def demo(seconds: float, store: str, out: Path, as_json: bool) -> None:
    """Run the whole daemon on a demo store: video, a simulated LLRP reader, a local broker.

    Prints events as they reach a subscriber and leaves in the folder: events.jsonl, summary.json,
    heatmap.png, floor.png, and of the plaza annotated.mp4. The boutique is watched for whole minutes. The
    exit code is 0 only where the job really ran: frames and tag reads flowed, people were seen, flips were
    found, every event arrived, the daemon stopped in time. A machine too slow for the camera's rate is told
    which share it managed; what it missed is no failure.

    \b
    Example:
      tagsight demo --seconds 60 --out demo-out
      tagsight demo --store boutique
    """
    from runtime.demo.boutique.show import BoutiqueSummary, run_boutique
    from runtime.demo.show import run_demo
    from runtime.demo.summary import Summary

    console = Console(stderr=as_json)
    summary: Summary | BoutiqueSummary
    staged = store == "boutique"
    summary = run_boutique(seconds, out, console) if staged else run_demo(seconds, out, console)
    if as_json:
        click.echo(msgspec.json.encode(summary).decode())
    failures = summary.failures()
    if failures:
        raise TagsightError("the demo did not do its job: " + "; ".join(failures))
    console.print(summary.verdict(), highlight=False, soft_wrap=True)
