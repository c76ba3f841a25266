"""What holds for every connection of one sender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broker.permits import Fit, Permits
from broker.settings import BrokerSettings
from contract.envelope import Origin
from runtime.uplink.delivery.window import DeliveryLimits
from runtime.uplink.outbox.identity import Identity


def client_id(origin: Origin, identity: Identity) -> str:
    """The MQTT client id: one a stream, so that two devices with one name do not throw each other out."""
    name = f"tagsight-{origin.site}-{origin.device}"
    return name if identity.migrated else f"{name}-{identity.stream[:8]}"


@dataclass(frozen=True)
class SessionSettings:
    """What holds for every connection of one sender; `permits` and `fit` learn from each."""

    outbox: Path
    origin: Origin
    broker: BrokerSettings
    limits: DeliveryLimits
    clock: Callable[[], float]
    ack_timeout_s: float
    permits: Permits
    fit: Fit
