"""What the states of health mean, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from contract.facts import ProcessHealth

Level: TypeAlias = Literal["good", "fair", "bad", "unknown"]
SILENT_S = 60.0
"""A process that has said nothing for so long: how it is, is not known."""
OTHER: Level = "fair"
"""Of a state that is not listed."""
STATES: Mapping[str, tuple[Level, str]] = {
    "starting": ("fair", "is starting"),
    "connecting": ("fair", "is connecting"),
    "configuring": ("fair", "is being set up"),
    "live": ("good", "works"),
    "ok": ("good", "works"),
    "reading": ("good", "is reading"),
    "waiting": ("fair", "waits: nothing comes"),
    "stalled": ("bad", "hangs"),
    "stopped": ("fair", "has stopped"),
    "black": ("bad", "shows nothing but black: is it covered, or the light off?"),
    "frozen": ("bad", "shows one and the same picture: restart the camera"),
    "wrong password": ("bad", "refuses the password: see username and password_file of this camera"),
    "no such file": ("bad", "has no such file"),
    "truncated": ("fair", "plays a file that is cut short"),
    "ended": ("fair", "has come to the end of its file"),
    "resolution changed": ("bad", "sends pictures of another size than its floor map was measured on"),
    "unusable": ("bad", "cannot be used"),
    "disconnected": ("bad", "is not connected"),
    "refused": ("bad", "is refused by its broker: see user name, password and certificate"),
    "unacknowledged": ("fair", "sends, and the cloud does not answer"),
    "disk": ("bad", "cannot write to the disk: events wait in memory"),
    "no outbox": ("bad", "has no file to keep events in: they wait in memory"),
    "no engine": ("bad", "has no model to find people with"),
    "engine failed": ("bad", "had its model fail"),
    "failed": ("bad", "has failed"),
    "restarting": ("fair", "is being restarted"),
    "degraded": ("bad", "fails again and again"),
}


def is_bad(found: ProcessHealth) -> bool:
    """Whether something is wrong with a process, and not only in between."""
    return STATES.get(found.state, (OTHER, ""))[0] == "bad"


def seeing(health: Mapping[str, ProcessHealth], now_s: float) -> bool:
    """Whether somebody looks at pictures, so that "nobody there" means that."""
    found = health.get("vision")
    return found is not None and found.state == "live" and now_s - found.time_s < SILENT_S
