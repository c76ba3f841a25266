"""Where the broker is, on the command line: from store.yaml, or option by option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from broker.settings import BrokerSettings, TlsFiles

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

OPTIONS = (
    click.option("--config", type=FILE, help="Take the broker from this store.yaml."),
    click.option("--host", default="localhost", show_default=True, help="The broker's address."),
    click.option("--port", type=click.IntRange(1, 65_535), help="Its port; 1883, or 8883 with TLS."),
    click.option("--tls", is_flag=True, help="Speak TLS and trust the system's authorities."),
    click.option("--ca", type=FILE, help="Speak TLS and trust this authority (PEM)."),
    click.option("--cert", type=FILE, help="Our certificate (PEM)."),
    click.option("--key", type=FILE, help="Its private key (PEM, readable by us only)."),
    click.option("--username", help="Name to log in with."),
    click.option("--password-file", type=FILE, help="File with the password, readable by us only."),
    click.option(
        "--protocol", type=click.Choice(["5", "311"]), default="5", show_default=True, help="MQTT version."
    ),
)


class BrokerFromFile(NamedTuple):
    """How a store.yaml's broker is read. The group that a command hangs in says so as its context's `obj`:
    whoever only talks to a broker knows no store.yaml."""

    read: Callable[[Path], BrokerSettings]


def broker_options(command: Command) -> Command:
    """Adds the options; the command gets `broker: BrokerSettings` instead."""

    def with_broker(**given: Any) -> Any:
        own = {name: value for name, value in given.items() if name not in _NAMES}
        return command(broker=_broker(**{name: given[name] for name in _NAMES}), **own)

    with_broker.__doc__ = command.__doc__
    with_broker.__name__ = command.__name__
    with_broker.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]
    for option in reversed(OPTIONS):
        option(with_broker)
    return with_broker  # type: ignore[return-value]


_NAMES = ("config", "host", "port", "tls", "ca", "cert", "key", "username", "password_file", "protocol")


def _broker(
    *,
    config: Path | None,
    host: str,
    port: int | None,
    tls: bool,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    username: str | None,
    password_file: Path | None,
    protocol: str,
) -> BrokerSettings:
    if config is not None:
        reader = click.get_current_context().find_object(BrokerFromFile)
        if reader is None:
            raise click.UsageError("--config: no store.yaml is read here; give --host and --port")
        return reader.read(config)
    if (cert is None) != (key is None):
        raise click.UsageError("--cert and --key go together")
    files = TlsFiles(ca=ca, cert=cert, key=key) if ca is not None or cert is not None else tls
    return BrokerSettings(
        host=host,
        port=port,
        tls=files,
        username=username,
        password_file=password_file,
        protocol=5 if protocol == "5" else 311,
    )
