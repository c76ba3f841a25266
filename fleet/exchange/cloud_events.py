"""Events as CloudEvents 1.0 in structured mode (JSON), with the attributes that they have over MQTT 5."""

from __future__ import annotations

from typing import Any

import msgspec

from contract.envelope import Origin, open_event
from contract.wire import pack

JSON = "application/json"


def structured(body: bytes) -> dict[str, Any]:
    """One event. Raises PayloadError for anything else."""
    envelope = open_event(body).envelope
    attributes = dict(pack([body], Origin(envelope.site, envelope.device), envelope.kind).attributes)
    if not attributes.get("incarnation"):
        attributes.pop("incarnation", None)
    return {**attributes, "datacontenttype": JSON, "data": msgspec.json.decode(body)}
