"""`tagsight view`: where the pages are, and a link to sign in by."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import NoReturn

import click

from runtime.config import load_at_work, load_running
from runtime.config.checks.console import missing_packages
from runtime.console.shown import Setup
from tagsight.errors import TagsightError

READY_WITHIN_S = 60.0


@click.command()
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The store's store.yaml."
)
@click.option(
    "--start",
    is_flag=True,
    help="Run the daemon here until Ctrl-C; where there is no store.yaml yet, write a first one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print address and link as JSON.")
def view(config_path: Path, start: bool, as_json: bool) -> None:
    """Say where this box's pages are, with a link that signs you in as a technician.

    The link serves once, for ten minutes. Only who may read the box's state folder can make one, so run this
    as the user that the daemon runs as. The pages are off until store.yaml says console: {enabled: true}.

    With --start nothing needs to be there: the shop is set up on the pages.

    \b
    Example:
      tagsight view --start --config store.yaml
      sudo -u tagsight tagsight view --config /etc/tagsight/store.yaml
    """
    if start:
        _start(config_path)
    config = load_at_work(config_path, clips_needed=False)
    if not config.console.enabled:
        raise TagsightError(f"{config_path}: console.enabled is false; set it to true and reload the daemon")
    if names := missing_packages():
        raise TagsightError(f"packages are missing ({', '.join(names)}): pip install 'tagsight[console]'")
    from runtime.console.link import sign_in_link

    setup = Setup.of(config)
    _print_link(setup, sign_in_link(setup), as_json)


def _print_link(setup: Setup, link: str, as_json: bool = False) -> None:
    if as_json:
        click.echo(json.dumps({"address": setup.url(), "link": link}))
    else:
        click.echo(f"the pages:  {setup.url()}\nsign in by: {link}")


def _start(config_path: Path) -> NoReturn:
    """Run the daemon, and say where its pages are once they are there."""
    from runtime.commands.first_store import write_first_store
    from runtime.commands.run import run_daemon

    if not config_path.exists():
        write_first_store(config_path)
        click.echo(f"{config_path} written; draw the shop on the pages")
    config, _ = load_running(config_path)
    if not config.console.enabled:
        raise TagsightError(f"{config_path}: console.enabled is false; set it to true")
    threading.Thread(target=_say_when_there, args=(Setup.of(config),), daemon=True).start()
    run_daemon(config_path)


def _say_when_there(setup: Setup) -> None:
    from runtime.console.link import KEY_FILE, sign_in_link

    began_s = time.time()
    file = setup.folder / KEY_FILE
    while not _answers(setup) or not file.exists():
        if time.time() - began_s > READY_WITHIN_S:
            click.echo("the pages are not there yet: see the log above", err=True)
            return
        time.sleep(0.2)
    _print_link(setup, sign_in_link(setup))


def _answers(setup: Setup) -> bool:
    host = setup.host if setup.is_loopback else "127.0.0.1"
    try:
        socket.create_connection((host, setup.port), 1.0).close()
    except OSError:
        return False
    return True
