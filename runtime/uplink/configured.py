"""The broker of store.yaml, as the client of a broker wants it."""

from __future__ import annotations

from runtime.config import Uplink
from runtime.uplink.broker.settings import BrokerSettings, TlsFiles


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
