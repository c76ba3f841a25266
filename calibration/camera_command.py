"""`tagsight calibrate camera`: watch a camera for some seconds and say what it delivers."""

from __future__ import annotations

import dataclasses
import json
import time

import click

from calibration.errors import CalibrationError

MAX_PICTURES = 20_000


@click.command()
@click.argument("uri")
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=10.0, help="How long to watch.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def camera(uri: str, seconds: float, as_json: bool) -> None:
    """Watch a camera and report its rate, size, light, sharpness, and whether it stands still.

    \b
    Example:
      tagsight calibrate camera rtsp://192.0.2.10/stream1 --seconds 20
    """
    from calibration.camera_report import CameraWatch
    from runtime.frames.sources import open_source, read

    source = open_source(uri)
    watch = CameraWatch()
    end_s = time.monotonic() + seconds
    try:
        while time.monotonic() < end_s and len(watch.times_s) < MAX_PICTURES:
            frame = read(source)
            if frame is None:
                break
            watch.look(frame.image, frame.grab.time_s)
    finally:
        source.close()
    if len(watch.times_s) < 2:
        raise CalibrationError(
            f"{source.label} gave {len(watch.times_s)} pictures in {seconds:g} s; two are needed"
        )
    report = watch.report()
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(report), "remarks": report.remarks()}, indent=2))
        return
    width, height = report.sizes[-1]
    click.echo(
        f"{source.label}: {width} x {height}, {report.fps:g} pictures a second over {report.seconds:g} s"
    )
    light = f"brightness {report.brightness:.0f} of 255, sharpness {report.sharpness:.0f}"
    click.echo(f"longest gap {report.longest_gap_s:g} s, {light}")
    for remark in report.remarks() or ["nothing to complain about"]:
        click.echo(f"- {remark}")
