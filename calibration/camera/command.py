"""`tagsight calibrate camera`: watch a camera for some seconds and say what it delivers."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calibration.errors import CalibrationError

if TYPE_CHECKING:
    from runtime.frames.sources import Transport

MAX_PICTURES = 20_000
SNAPSHOT_SUFFIXES = (".png", ".jpg", ".jpeg")


@click.command()
@click.argument("uri")
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=10.0, help="How long to watch.")
@click.option(
    "--snapshot", type=click.Path(path_type=Path), help="Keep the last picture here (.png or .jpg)."
)
@click.option(
    "--transport",
    type=click.Choice(["auto", "tcp", "udp"]),
    default="auto",
    help="How pictures come from rtsp://.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def camera(uri: str, seconds: float, snapshot: Path | None, transport: Transport, as_json: bool) -> None:
    """Watch a camera and report its rate, size, light, sharpness, and whether it stands still.

    Where it cannot be opened, the answer is what the camera said.

    \b
    Example:
      tagsight calibrate camera rtsp://192.0.2.10/stream1 --seconds 20 --snapshot door.png
    """
    from calibration.camera.report import CameraWatch
    from runtime.frames.opening import open_source
    from runtime.frames.sources import read
    from runtime.frames.still import save_picture
    from runtime.frames.timing import StaleShare

    if snapshot is not None and snapshot.suffix.lower() not in SNAPSHOT_SUFFIXES:
        raise click.BadParameter(f"{snapshot}: .png or .jpg would be right", param_hint="--snapshot")
    last = None
    source = open_source(uri, transport=transport)
    watch, stale, skipped = CameraWatch(), StaleShare(), 0
    end_s = time.monotonic() + seconds
    try:
        while time.monotonic() < end_s and len(watch.times_s) < MAX_PICTURES:
            frame = read(source)
            if frame is None:
                break
            last = frame.image
            stale.add(frame.grab.arrived_s, 1 + source.stale - skipped, source.stale - skipped)
            skipped = source.stale
            watch.look(frame.image, frame.grab.time_s)
    finally:
        if last is not None:
            last = last.copy()
        source.close()
    if snapshot is not None and last is not None:
        save_picture(snapshot, last)
    if len(watch.times_s) < 2:
        raise CalibrationError(
            f"{source.label} gave {len(watch.times_s)} pictures in {seconds:g} s; two are needed"
        )
    report = watch.report()
    remarks = [*report.remarks(), *filter(None, (source.remark, stale.remark))]
    kept = {} if snapshot is None else {"snapshot": str(snapshot)}
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(report), "remarks": remarks, **kept}, indent=2))
        return
    width, height = report.sizes[-1]
    click.echo(
        f"{source.label}: {width} x {height}, {report.fps:g} frames a second over {report.seconds:g} s"
    )
    light = f"brightness {report.brightness:.0f} of 255, sharpness {report.sharpness:.0f}"
    click.echo(f"longest gap {report.longest_gap_s:g} s, {light}")
    for remark in remarks or ["nothing to complain about"]:
        click.echo(f"- {remark}")
    if snapshot is not None:
        click.echo(f"{snapshot} written: {width} x {height}")
