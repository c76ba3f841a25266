"""The broker of store.yaml, as the client of a broker wants it."""

from __future__ import annotations

from pathlib import Path

from broker.options import BrokerFromFile
from broker.settings import BrokerSettings, TlsFiles
from runtime.config import Uplink, load_at_work
from runtime.config.sections import Tls


def tls_of(tls: bool | Tls) -> bool | TlsFiles:
    """What a key `tls` says."""
    return tls if isinstance(tls, bool) else TlsFiles(ca=tls.ca, cert=tls.cert, key=tls.key)


def broker_settings(uplink: Uplink) -> BrokerSettings:
    """What the section `uplink` says of the broker."""
    return BrokerSettings(
        host=uplink.host,
        port=uplink.port,
        tls=tls_of(uplink.tls),
        username=uplink.username,
        password_file=uplink.password_file,
        protocol=uplink.protocol,
        trust_broker=uplink.trust_broker,
    )


def _of_file(file: Path) -> BrokerSettings:
    return broker_settings(load_at_work(file).uplink)


OF_STORE_YAML = BrokerFromFile(_of_file)
"""For commands with `broker_options`."""
