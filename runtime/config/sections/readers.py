"""RFID readers and their antennas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from runtime.config.sections.words import FloorPoint, Label, Section, TcpPort

MAX_READERS = 16


class Antenna(Section, frozen=True, kw_only=True):
    """One antenna of a reader and what it covers."""

    port: Annotated[int, Meta(ge=1, le=64, description="the reader's antenna port, from 1")]
    name: Label
    at: Annotated[FloorPoint | None, Meta(description="[x, y] of the antenna in metres")] = None
    zone: Annotated[str | None, Meta(description="the zone it covers")] = None
    fixture: Annotated[str | None, Meta(description="the rack or fitting room it covers")] = None
    power_dbm: Annotated[
        Annotated[float, Meta(ge=0, le=36)] | None,
        Meta(description="transmit power; empty: the reader's own"),
    ] = None


class Reader(Section, frozen=True, kw_only=True):
    """One RFID reader, spoken to by LLRP."""

    name: Label
    host: Annotated[str, Meta(min_length=1, max_length=253, description="address or name of the reader")]
    port: Annotated[TcpPort | None, Meta(description="empty: 5084, or 5085 with tls")] = None
    tls: Annotated[bool, Meta(description="speak LLRP over TLS")] = False
    tls_ca: Annotated[
        Path | None, Meta(description="PEM file that vouches for the reader; empty: the system's")
    ] = None
    antennas: Annotated[list[Antenna], Meta(min_length=1, max_length=64, description="its antennas")]
    session: Annotated[int, Meta(ge=0, le=3, description="Gen2 session")] = 1
    mode: Annotated[
        Annotated[int, Meta(ge=0, le=65_535)] | None,
        Meta(description="RF mode index; empty: the reader's own"),
    ] = None
    search_mode: Annotated[
        Literal["reader_selected", "single_target", "dual_target", "single_target_suppression"],
        Meta(description="Impinj inventory search mode"),
    ] = "dual_target"
    population: Annotated[int, Meta(ge=1, le=65_535, description="tags expected in the field")] = 32
    detector: Annotated[
        Literal["production", "js", "raw"],
        Meta(description="how flips are found; js is the published method and raw a baseline, to compare"),
    ] = "production"
    calibration: Annotated[Path | None, Meta(description="file written by tagsight calibrate antenna")] = None

    def tcp_port(self) -> int:
        """The port to connect to: given, or the one registered for LLRP with or without TLS."""
        return self.port if self.port is not None else (5085 if self.tls else 5084)
