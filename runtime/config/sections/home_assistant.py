"""Home Assistant: the shop as one of its devices."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from runtime.config.sections.broker import Broker, HostName
from runtime.config.sections.words import WORD


class HomeAssistant(Broker, frozen=True, kw_only=True):
    """The MQTT broker that Home Assistant uses; without a host it is told nothing."""

    host: Annotated[
        HostName | None,
        Meta(description="address or name of the broker that Home Assistant uses; empty: none"),
    ] = None
    prefix: Annotated[
        str, Meta(pattern=WORD, description="Home Assistant's own prefix of topics, if it was changed there")
    ] = "homeassistant"
