"""Figures of delivery for health."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class DeliveryStats:
    """What the sender did so far and where it stands; written by its thread, read by health.

    `renewed_s`, `refused_s` and `namesake_s` say when, in monotonic seconds, this outbox last began a new
    stream, an acknowledgement was last refused, and another device was last seen under this name.
    """

    connected: bool = False
    detail: str = "not connected yet"
    last_seq: int = 0
    delivered_seq: int = 0
    backlog: int = 0
    in_flight: int = 0
    unanswered_s: float = 0.0
    oldest_s: float | None = None
    events_delivered: int = 0
    messages_sent: int = 0
    refusals: int = 0
    connects: int = 0
    resends: int = 0
    progress_s: float = 0.0
    stream: str = ""
    renewals: int = 0
    renewed_s: float | None = None
    acks_refused: int = 0
    given_up: int = 0
    refused_s: float | None = None
    namesake_s: float | None = None
    held_kinds: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """A connection stands."""
        self.connected = True
        self.detail = ""
        self.connects += 1
        self.held_kinds.clear()
