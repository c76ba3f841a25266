"""Which reader to measure, on the command line: by its address, or as store.yaml has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rfid_reader.settings import ReaderSettings

Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option("--reader", metavar="HOST[:PORT]", help="Listen to this reader now."),
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="store.yaml: its reader, racks, articles and antennas.",
    ),
    click.option("--name", help="Which reader of store.yaml, where it has several."),
)


def reader_options(command: Command) -> Command:
    """Adds --reader, --config and --name."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def reader_at(address: str) -> ReaderSettings:
    """The reader at HOST or HOST:PORT. Raises ReaderSettingsError."""
    from rfid_reader.settings import ReaderSettings, address_of

    host, port = address_of(address)
    return ReaderSettings(host=host, port=port)


def chosen_reader(
    reader: str | None, config: Path | None, name: str | None, otherwise: str = ""
) -> ReaderSettings:
    """The reader of --reader, or else of --config.

    Raises click.UsageError where neither is given; `otherwise` names what would have been right beside them.
    """
    from calibration.store_plan import settings_from

    if reader is not None:
        return reader_at(reader)
    if config is None:
        raise click.UsageError(f"give {otherwise}--reader or --config")
    return settings_from(config, name)
