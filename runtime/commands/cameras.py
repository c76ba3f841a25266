"""`tagsight cameras`: find the network's cameras, and ask one for its streams."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tagsight.errors import TagsightError
from tagsight.secret_files import open_to_others, read_secret

if TYPE_CHECKING:
    from runtime.network_cameras.finding import FoundCamera
    from runtime.network_cameras.probing import ProbedCamera

CLOCK_OFF_S = 5.0
"""From here on a camera's clock is said to be wrong: some refuse logins by it."""
INSTALL = "asking cameras over ONVIF needs two more packages; pip install 'tagsight[onvif]'"


@click.group()
def cameras() -> None:
    """Find the cameras of this network and the addresses of their streams (ONVIF).

    \b
    Example:
      tagsight cameras find
      tagsight cameras probe 192.0.2.10 --username tagsight --password-file door.password
    """


@cameras.command()
@click.option("--seconds", type=click.FloatRange(0.5, 60), default=4.0, help="How long to wait for answers.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def find(seconds: float, as_json: bool) -> None:
    """List the cameras that answer a WS-Discovery probe in this machine's networks; it changes nothing.

    \b
    Example:
      tagsight cameras find --seconds 10
    """
    try:
        from runtime.network_cameras import finding
    except ImportError as error:
        raise TagsightError(INSTALL) from error
    found = finding.find(seconds)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in found], indent=2))
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo(
            f"no camera answered within {seconds:g} s: ONVIF may be switched off in them, or they are in "
            "another network (a probe passes no router); ask one by its address: tagsight cameras probe",
            err=True,
        )


@cameras.command()
@click.argument("address")
@click.option("--username", help="An ONVIF user of the camera.")
@click.option("--password-file", type=click.Path(path_type=Path), help="Its password, one line of text.")
@click.option("--name", default="door", show_default=True, help="The name in the lines for store.yaml.")
@click.option("--json", "as_json", is_flag=True, help="Print what it says as JSON.")
def probe(address: str, username: str | None, password_file: Path | None, name: str, as_json: bool) -> None:
    """Ask a camera what it is and which streams it has; prints lines for store.yaml, and changes nothing.

    \b
    Example:
      tagsight cameras probe 192.0.2.10 --username tagsight --password-file door.password --name door
    """
    try:
        from runtime.network_cameras import probing
    except ImportError as error:
        raise TagsightError(INSTALL) from error
    if password_file is not None and username is None:
        raise click.UsageError("a password without a name: give --username too")
    password = None if password_file is None else read_secret(password_file)
    if password_file is not None and (remark := open_to_others(password_file, "password file")):
        click.echo(f"warning: {remark}", err=True)
    found = probing.probe(address, username, password)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2))
        return
    _print(found)
    if found.streams:
        login = {"username": username, "password_file": None if password_file is None else str(password_file)}
        click.echo("\n" + probing.store_yaml(found, name, {k: v for k, v in login.items() if v}), nl=False)


def _line(one: FoundCamera) -> str:
    return "  ".join(filter(None, (one.address, one.name, one.hardware, one.location)))


def _print(found: ProbedCamera) -> None:
    click.echo(f"{found.manufacturer} {found.model}, firmware {found.firmware}")
    for stream in found.streams:
        size = f"{stream.width} x {stream.height}" if stream.width else "size unknown"
        click.echo(
            f"  {stream.profile}: {stream.coding} {size}, {stream.fps:g} frames a second, {stream.uri}"
        )
    if not found.streams:
        click.echo("it has no profile with video")
    if found.clock_off_s is not None and abs(found.clock_off_s) > CLOCK_OFF_S:
        which = "ahead of" if found.clock_off_s > 0 else "behind"
        click.echo(
            f"warning: its clock is {abs(found.clock_off_s):.0f} s {which} this machine's: set both by NTP",
            err=True,
        )
