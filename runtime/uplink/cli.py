"""`tagsight uplink`."""

from __future__ import annotations

import click

from runtime.lazy_group import LazyGroup
from runtime.uplink.configured import OF_STORE_YAML

COMMANDS = {
    "receive": ("fleet.ingest.consumer.command", "Receive events for the cloud, and account for them."),
    "provision": ("runtime.uplink.provision", "Write a private key and a certificate request."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
@click.pass_context
def uplink(context: click.Context) -> None:
    """The cloud side and the keys of the uplink.

    \b
    Example:
      tagsight uplink receive --host localhost --db events.db
    """
    context.obj = OF_STORE_YAML
