"""The way to the cloud: the broker, how to log in, and the outbox."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from runtime.config.sections.broker import Broker, HostName


class Uplink(Broker, frozen=True, kw_only=True):
    """The broker that events go to, and the outbox that keeps them until they are there."""

    host: Annotated[HostName, Meta(description="address or name of the broker")] = "localhost"
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
