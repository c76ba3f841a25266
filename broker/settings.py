"""How to reach a broker and log in: all that the client of a broker needs to be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files of a TLS connection: the authority (None: the system's), our certificate and its key."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the broker is and how it is spoken to: MQTT 5, or 311 for MQTT 3.1.1.

    `tls` true trusts the system's authorities. With `trust_broker` an event that the broker has taken counts
    as delivered; without, the cloud must acknowledge it.
    """

    host: str = "localhost"
    port: int | None = None
    tls: bool | TlsFiles = False
    username: str | None = None
    password_file: Path | None = None
    protocol: Literal[5, 311] = 5
    trust_broker: bool = False
    section: str = "uplink"
    """The section of store.yaml that says all this, for messages."""

    def tcp_port(self) -> int:
        """The port to connect to: given, or the one registered for MQTT with or without TLS."""
        return self.port if self.port is not None else (8883 if self.tls else 1883)
