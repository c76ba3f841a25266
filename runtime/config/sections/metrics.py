"""Metrics: the shop and the box as figures for Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from runtime.config.sections.words import Section, TcpPort


class Metrics(Section, frozen=True, kw_only=True):
    """Where Prometheus finds this box's metrics: in a file, at a port, or nowhere."""

    textfile: Annotated[
        Path | None,
        Meta(description="file for node-exporter's textfile collector, ending in .prom; empty: none"),
    ] = None
    every_s: Annotated[float, Meta(ge=1, le=3_600, description="how often the file is written, seconds")] = (
        15.0
    )
    port: Annotated[TcpPort | None, Meta(description="TCP port to be scraped at; empty: none")] = None
    host: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=45,
            description="address to listen on; 127.0.0.1: this machine only; 0.0.0.0: every network, "
            "without TLS or password",
        ),
    ] = "127.0.0.1"

    @property
    def wanted(self) -> bool:
        """Whether there are any."""
        return self.textfile is not None or self.port is not None
