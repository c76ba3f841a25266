"""What happens on a connection to a broker, as it is told to whoever polls it."""

from __future__ import annotations

from typing import NamedTuple


class Acknowledged(NamedTuple):
    """The broker took message `mid`."""

    mid: int


class Refused(NamedTuple):
    """The broker does not take message `mid`: `code` is MQTT 5's reason (135: not authorised)."""

    mid: int
    code: int
    reason: str


class Received(NamedTuple):
    """A message on a topic we subscribed to."""

    topic: str
    data: bytes
    retained: bool


class NotSubscribed(NamedTuple):
    """The broker refuses the subscription to a topic."""

    topic: str
    reason: str


MqttEvent = Acknowledged | Refused | Received | NotSubscribed


class Will(NamedTuple):
    """What the broker publishes, retained, should the connection break."""

    topic: str
    data: bytes
