"""Who is there and who is not, by what the processes say of themselves (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.messages import Health

OPENING = frozenset({"starting", "connecting", "configuring"})
"""A process in such a state does not know yet whether its camera, reader or broker is there."""
WELL = frozenset({"live", "ok", "reading", "waiting"})
"""States of a process that has what it needs; a reader that waits is another matter."""

Standing = Mapping[str, Health | None]
"""Every process by name, and the last it said; None where it has said nothing yet."""


def unknown(standing: Standing) -> list[str]:
    """The processes of which neither their first frame, read or connection nor its absence is known."""
    return [name for name, health in standing.items() if health is None or health.state in OPENING]


def absent(standing: Standing) -> dict[str, str]:
    """What is missing, and why: the state of every process that lacks its camera, reader or broker."""
    return {
        name: health.state
        for name, health in standing.items()
        if health is not None and health.state not in OPENING and not _is_well(name, health.state)
    }


def _is_well(name: str, state: str) -> bool:
    return state in WELL and not (name.startswith("reader:") and state == "waiting")


def sentence(standing: Standing) -> str:
    """How the box stands, for the log, for systemd and for health."""
    opening, missing = unknown(standing), absent(standing)
    told = [f"not there yet: {', '.join(opening)}"] if opening else ["all processes run"]
    if missing:
        told.append("absent: " + ", ".join(f"{name} ({state})" for name, state in missing.items()))
    return "; ".join(told)
