"""The broker of store.yaml, as the client of a broker wants it."""

from __future__ import annotations

from pathlib import Path

from broker.options import BrokerFromFile
from broker.settings import BrokerSettings, TlsFiles
from runtime.config import Uplink, load_at_work


def broker_settings(uplink: Uplink) -> BrokerSettings:
    """What the section `uplink` says of the broker."""
    tls = uplink.tls
    return BrokerSettings(
        host=uplink.host,
        port=uplink.port,
        tls=tls if isinstance(tls, bool) else TlsFiles(ca=tls.ca, cert=tls.cert, key=tls.key),
        username=uplink.username,
        password_file=uplink.password_file,
        protocol=uplink.protocol,
        trust_broker=uplink.trust_broker,
    )


def _of_file(file: Path) -> BrokerSettings:
    return broker_settings(load_at_work(file).uplink)


OF_STORE_YAML = BrokerFromFile(_of_file)
"""For commands with `broker_options`."""
