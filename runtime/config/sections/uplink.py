"""The way to the cloud: the broker, how to log in, and the outbox."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from runtime.config.sections.words import Login, Section, TcpPort


class Tls(Section, frozen=True, kw_only=True):
    """Files for a TLS connection, PEM."""

    ca: Annotated[Path | None, Meta(description="certificate authority; empty: the system's own")] = None
    cert: Annotated[Path | None, Meta(description="this device's certificate")] = None
    key: Annotated[Path | None, Meta(description="the certificate's private key")] = None


class Uplink(Section, frozen=True, kw_only=True):
    """The broker that events go to, and the outbox that keeps them until they are there."""

    host: Annotated[str, Meta(min_length=1, max_length=253, description="address or name of the broker")] = (
        "localhost"
    )
    port: Annotated[TcpPort | None, Meta(description="empty: 1883, or 8883 with tls")] = None
    tls: Annotated[
        bool | Tls, Meta(description="false, true (the system's authorities), or {ca, cert, key}")
    ] = False
    username: Annotated[Login | None, Meta(description="name to log in with")] = None
    password_file: Annotated[
        Path | None, Meta(description="file of the password, readable by the service only")
    ] = None
    protocol: Annotated[Literal[5, 311], Meta(description="MQTT 5, or 311 for MQTT 3.1.1")] = 5
    trust_broker: Annotated[
        bool,
        Meta(
            description="false: an event is kept until the cloud acknowledges it; true: until the broker does"
        ),
    ] = False
    outbox: Annotated[Path | None, Meta(description="SQLite file; empty: outbox.db in state_dir")] = None
    max_mb: Annotated[int, Meta(ge=1, le=1_000_000, description="the outbox's size limit")] = 512
    group_events: Annotated[
        int,
        Meta(ge=1, le=10_000, description="events that share a write to the disk; 1: each has its own"),
    ] = 256
    group_ms: Annotated[
        float, Meta(ge=0, le=1_000, description="how long the first of a group waits for others")
    ] = 20.0

    def tcp_port(self) -> int:
        """The port to connect to: given, or the one registered for MQTT with or without TLS."""
        return self.port if self.port is not None else (8883 if self.tls else 1883)
