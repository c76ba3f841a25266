"""The broker of store.yaml, as the client of a broker wants it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from broker.options import BrokerFromFile
from broker.settings import BrokerSettings, TlsFiles
from runtime.config import Uplink, load_at_work
from runtime.config.sections import Broker


def broker_settings(uplink: Uplink) -> BrokerSettings:
    """What the section `uplink` says of the broker."""
    found = settings_of(uplink, uplink.host, "uplink")
    return msgspec.structs.replace(found, trust_broker=uplink.trust_broker)


def settings_of(broker: Broker, host: str, section: str) -> BrokerSettings:
    """What the section of that name says of a broker."""
    tls = broker.tls
    return BrokerSettings(
        host=host,
        port=broker.port,
        tls=tls if isinstance(tls, bool) else TlsFiles(ca=tls.ca, cert=tls.cert, key=tls.key),
        username=broker.username,
        password_file=broker.password_file,
        protocol=broker.protocol,
        section=section,
    )


def _of_file(file: Path) -> BrokerSettings:
    return broker_settings(load_at_work(file).uplink)


OF_STORE_YAML = BrokerFromFile(_of_file)
"""For commands with `broker_options`."""
