"""Who is there and who is not, by what the processes say of themselves (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.messages import Health, HealthState

OPENING = frozenset({HealthState.STARTING, HealthState.CONNECTING, HealthState.CONFIGURING})
"""A process in such a state does not know yet whether its camera, reader or broker is there."""
WELL = frozenset({HealthState.LIVE, HealthState.OK, HealthState.READING, HealthState.WAITING})
"""States of a process that has what it needs; a reader that waits is another matter."""

KEEPER = "store"
"""The process that writes the outbox."""

Standing = Mapping[str, Health | None]
"""Every process by name, and the last it said; None where it has said nothing yet."""


def unknown(standing: Standing) -> list[str]:
    """The processes of which neither their first frame, read or connection nor its absence is known."""
    return [name for name, health in standing.items() if health is None or health.state in OPENING]


def absent(standing: Standing) -> dict[str, HealthState]:
    """What is missing, and why: the state of every process that lacks its camera, reader or broker."""
    return {
        name: health.state
        for name, health in standing.items()
        if health is not None and health.state not in OPENING and not _is_well(name, health.state)
    }


def unkept(standing: Standing) -> str:
    """Why what is counted does not get to the disk, as the store process says; empty where it does."""
    health = standing.get(KEEPER)
    if health is None or health.state in OPENING or _is_well(KEEPER, health.state):
        return ""
    return health.detail or f"{KEEPER} is {health.state}"


def keeps(standing: Standing) -> bool:
    """Whether what is counted is known to get to the disk."""
    health = standing.get(KEEPER)
    return KEEPER not in standing or (health is not None and _is_well(KEEPER, health.state))


def _is_well(name: str, state: HealthState) -> bool:
    return state in WELL and not (name.startswith("reader:") and state == HealthState.WAITING)


def sentence(standing: Standing) -> str:
    """How the box stands, for the log, for systemd and for health."""
    opening, missing = unknown(standing), absent(standing)
    told = [f"not there yet: {', '.join(opening)}"] if opening else ["all processes run"]
    if missing:
        told.append("absent: " + ", ".join(f"{name} ({state})" for name, state in missing.items()))
    return "; ".join(told)
