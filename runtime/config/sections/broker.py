"""How a section says how an MQTT broker is spoken to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from runtime.config.sections.words import Login, Section, TcpPort

HostName = Annotated[str, Meta(min_length=1, max_length=253)]


class Tls(Section, frozen=True, kw_only=True):
    """Files for a TLS connection, PEM."""

    ca: Annotated[Path | None, Meta(description="certificate authority; empty: the system's own")] = None
    cert: Annotated[Path | None, Meta(description="this device's certificate")] = None
    key: Annotated[Path | None, Meta(description="the certificate's private key")] = None


class Broker(Section, frozen=True, kw_only=True):
    """Of one broker; each section that has one adds its host."""

    port: Annotated[TcpPort | None, Meta(description="empty: 1883, or 8883 with tls")] = None
    tls: Annotated[
        bool | Tls, Meta(description="false, true (the system's authorities), or {ca, cert, key}")
    ] = False
    username: Annotated[Login | None, Meta(description="name to log in with")] = None
    password_file: Annotated[
        Path | None, Meta(description="file of the password, readable by the service only")
    ] = None
    protocol: Annotated[Literal[5, 311], Meta(description="MQTT 5, or 311 for MQTT 3.1.1")] = 5

    def tcp_port(self) -> int:
        """The port to connect to: given, or the one registered for MQTT with or without TLS."""
        return self.port if self.port is not None else (8883 if self.tls else 1883)
