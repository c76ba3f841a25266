"""Home Assistant: the shop as one of its devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from runtime.config.sections.uplink import Tls
from runtime.config.sections.words import WORD, Login, Section, TcpPort


class HomeAssistant(Section, frozen=True, kw_only=True):
    """The MQTT broker that Home Assistant uses; without a host it is told nothing."""

    host: Annotated[
        Annotated[str, Meta(min_length=1, max_length=253)] | None,
        Meta(description="address or name of the broker that Home Assistant uses; empty: none"),
    ] = None
    port: Annotated[TcpPort | None, Meta(description="empty: 1883, or 8883 with tls")] = None
    tls: Annotated[
        bool | Tls, Meta(description="false, true (the system's authorities), or {ca, cert, key}")
    ] = False
    username: Annotated[Login | None, Meta(description="name to log in with")] = None
    password_file: Annotated[
        Path | None, Meta(description="file of the password, readable by the service only")
    ] = None
    protocol: Annotated[Literal[5, 311], Meta(description="MQTT 5, or 311 for MQTT 3.1.1")] = 5
    prefix: Annotated[
        str, Meta(pattern=WORD, description="Home Assistant's own prefix of topics, if it was changed there")
    ] = "homeassistant"
