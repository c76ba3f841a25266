"""Which processes are up and which lack what they need, by the health they report (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.messages import Health, HealthState

GETTING_READY = frozenset({HealthState.STARTING, HealthState.CONNECTING, HealthState.CONFIGURING})
"""A process in such a state does not know yet whether its camera, reader or broker is there."""
HEALTHY = frozenset({HealthState.LIVE, HealthState.OK, HealthState.READING, HealthState.WAITING})
"""States of a process that has what it needs; a reader that waits is another matter."""

OUTBOX_WRITER = "store"
"""The process that writes the outbox."""

HealthByProcess = Mapping[str, Health | None]
"""Every process by name with its last health; None where it has not reported yet."""


def getting_ready(healths: HealthByProcess) -> list[str]:
    """The processes of which neither their first frame, read or connection nor its absence is known."""
    return [name for name, health in healths.items() if health is None or health.state in GETTING_READY]


def lacking(healths: HealthByProcess) -> dict[str, HealthState]:
    """What is missing, and why: the state of every process that lacks its camera, reader or broker."""
    return {
        name: health.state
        for name, health in healths.items()
        if health is not None and health.state not in GETTING_READY and not _is_healthy(name, health.state)
    }


def write_fault(healths: HealthByProcess) -> str:
    """Why what is counted does not get to the disk, as the store process says; empty where it does."""
    health = healths.get(OUTBOX_WRITER)
    if health is None or health.state in GETTING_READY or _is_healthy(OUTBOX_WRITER, health.state):
        return ""
    return health.detail or f"{OUTBOX_WRITER} is {health.state}"


def is_writing(healths: HealthByProcess) -> bool:
    """Whether what is counted is known to get to the disk."""
    health = healths.get(OUTBOX_WRITER)
    return OUTBOX_WRITER not in healths or (health is not None and _is_healthy(OUTBOX_WRITER, health.state))


def _is_healthy(name: str, state: HealthState) -> bool:
    return state in HEALTHY and not (name.startswith("reader:") and state == HealthState.WAITING)


def summary(healths: HealthByProcess) -> str:
    """How the box stands, for the log, for systemd and for health."""
    waiting_for, missing = getting_ready(healths), lacking(healths)
    parts = [f"not there yet: {', '.join(waiting_for)}"] if waiting_for else ["all processes run"]
    if missing:
        parts.append("absent: " + ", ".join(f"{name} ({state})" for name, state in missing.items()))
    return "; ".join(parts)
