"""`tagsight uplink provision`."""

from __future__ import annotations

from pathlib import Path

import click

from broker.certificates import provision as write_key_and_request
from contract.envelope import Origin


@click.command()
@click.option("--site", required=True, help="The store's name, as in store.yaml.")
@click.option("--device", required=True, help="The terminal's name, as in store.yaml.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default=True,
    help="Folder.",
)
def provision(site: str, device: str, out: Path) -> None:
    """Write a private key (mode 0600) and a certificate request for this device.

    \b
    Example:
      tagsight uplink provision --site plaza --device box-1 --out /etc/tagsight/keys
    """
    key, request = write_key_and_request(Origin(site, device), out)
    click.echo(f"key      {key} (stays here)\nrequest  {request} (to your certificate authority)")
