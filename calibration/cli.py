"""`tagsight calibrate`: camera, floor, antenna, flips and clock, each with a report."""

from __future__ import annotations

import click

from calibration.antenna.command import antenna
from calibration.camera.command import camera
from calibration.clock.command import clock
from calibration.flips.command import flips
from calibration.floor.command import floor


@click.group()
def calibrate() -> None:
    """Measure cameras, floor, antennas and clocks on site.

    \b
    Example:
      tagsight calibrate floor door.png --click --drawing door-grid.png
    """


for command in (camera, floor, antenna, flips, clock):
    calibrate.add_command(command)
