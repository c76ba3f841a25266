"""`tagsight view`: where the pages are, and a link to sign in by."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runtime.config import load_at_work
from runtime.config.checks.console import missing_packages
from runtime.console.shown import Setup
from tagsight.errors import TagsightError


@click.command()
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The store's store.yaml."
)
@click.option("--json", "as_json", is_flag=True, help="Print address and link as JSON.")
def view(config_path: Path, as_json: bool) -> None:
    """Say where this box's pages are, with a link that signs you in as a technician.

    The link serves once, for ten minutes. Only who may read the box's state folder can make one, so run this
    as the user that the daemon runs as. The pages are off until store.yaml says console: {enabled: true}.

    \b
    Example:
      sudo -u tagsight tagsight view --config /etc/tagsight/store.yaml
    """
    config = load_at_work(config_path, clips_needed=False)
    if not config.console.enabled:
        raise TagsightError(f"{config_path}: console.enabled is false; set it to true and reload the daemon")
    if names := missing_packages():
        raise TagsightError(f"packages are missing ({', '.join(names)}): pip install 'tagsight[console]'")
    from runtime.console.link import sign_in_link

    setup = Setup.of(config)
    link = sign_in_link(setup)
    if as_json:
        click.echo(json.dumps({"address": setup.url(), "link": link}))
    else:
        click.echo(f"the pages:  {setup.url()}\nsign in by: {link}")
