"""How the box is, in words that a shopkeeper can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from contract.facts import ProcessHealth
from runtime.console.shown import ShownStore
from runtime.daybook.states import OTHER, SILENT_S, STATES, Level

ENOUGH = 0.8
"""Of the wanted pictures; below it counts are called degraded."""
LOW_DISK, FULL_DISK = 0.75, 0.95

VERDICTS: tuple[tuple[Level, str], ...] = (
    ("bad", "Something is wrong"),
    ("unknown", "Something has not reported"),
    ("fair", "It works, with remarks"),
)
NEIGHBOURS = (("metrics", "metrics"), ("home_assistant", "Home Assistant"))
"""Processes that only some boxes have, and what they are called."""
UNKNOWN: tuple[Level, str] = ("unknown", "has not said anything yet")


@dataclass(frozen=True)
class AntennaWords:
    """One antenna."""

    name: str
    words: str
    level: Level = "good"


@dataclass(frozen=True)
class DeviceWords:
    """A camera or reader, and how it is. `process` is as in health events."""

    kind: Literal["camera", "reader"]
    name: str
    level: Level
    words: str
    parts: list[AntennaWords] = field(default_factory=list)


@dataclass(frozen=True)
class BoxLine:
    """One thing about the box."""

    name: str
    level: Level
    words: str


def devices(shown: ShownStore, health: Mapping[str, ProcessHealth], now_s: float) -> list[DeviceWords]:
    """Every camera and reader of the configuration."""
    return [
        *(_camera(one.name, one.analysis_fps, health, now_s) for one in shown.cameras),
        *(_reader(name, shown, health, now_s) for name in shown.antennas),
    ]


def _camera(name: str, wanted_fps: float, health: Mapping[str, ProcessHealth], now_s: float) -> DeviceWords:
    level, words = _state(health.get(f"camera:{name}"), now_s)
    vision = health.get("vision")
    if level == "good" and vision is not None and f"{name}_fps" in vision.values:
        got_fps = vision.values[f"{name}_fps"]
        brought_fps = vision.values.get(f"{name}_delivered_fps", 0.0)
        words = f"{got_fps:.1f} of {wanted_fps:g} pictures a second looked at"
        if 0 < brought_fps < ENOUGH * wanted_fps and got_fps >= ENOUGH * brought_fps:
            level, words = "fair", f"{words}: the camera sends only {brought_fps:.1f}"
        elif got_fps < ENOUGH * wanted_fps:
            level, words = "fair", f"{words}: this box is full"
    return DeviceWords("camera", name, level, words)


def _reader(name: str, shown: ShownStore, health: Mapping[str, ProcessHealth], now_s: float) -> DeviceWords:
    found = health.get(f"reader:{name}")
    level, words = _state(found, now_s)
    parts: list[AntennaWords] = []
    if found is not None and level == "good":
        words = f"{found.values.get('reads_per_s', 0.0):.0f} reads a second"
        parts = [_antenna(antenna.name, antenna.port, found.values) for antenna in shown.antennas[name]]
        if any(part.level != "good" for part in parts):
            level = "fair"
    return DeviceWords("reader", name, level, words, parts)


def _antenna(name: str, port: int, values: Mapping[str, float]) -> AntennaWords:
    if values.get(f"antenna_{port}_lost"):
        return AntennaWords(name, "not connected", "bad")
    rate = values.get(f"antenna_{port}_reads_per_s", 0.0)
    return (
        AntennaWords(name, f"{rate:.0f}/s", "good")
        if rate > 0
        else AntennaWords(name, "reads nothing", "fair")
    )


def _state(found: ProcessHealth | None, now_s: float) -> tuple[Level, str]:
    if found is None:
        return UNKNOWN
    if now_s - found.time_s > SILENT_S:
        return "unknown", f"has said nothing for {_span(now_s - found.time_s)}"
    level, words = STATES.get(found.state, (OTHER, f"says: {found.state}"))
    return level, f"{words} ({found.detail})" if level != "good" and found.detail else words


def lines(
    shown: ShownStore, health: Mapping[str, ProcessHealth], now_s: float, disk_used: float | None
) -> list[BoxLine]:
    """Everything about the box: the worst first, else in the way that data walks."""
    found = [
        *(BoxLine(f"{one.kind} {one.name}", one.level, one.words) for one in devices(shown, health, now_s)),
        *([_vision(health.get("vision"), now_s)] if shown.cameras else []),
        _store(health.get("store"), now_s),
        _uplink(health.get("uplink"), now_s),
        *(BoxLine(words, *_state(health[name], now_s)) for name, words in NEIGHBOURS if name in health),
        *_disk(disk_used),
        *_restarts(health.get("supervisor")),
    ]
    order = {"bad": 0, "unknown": 1, "fair": 2, "good": 3}
    return sorted(found, key=lambda line: order[line.level])


def verdict(found: list[BoxLine]) -> tuple[Level, str]:
    """The whole in one sentence."""
    for level, words in VERDICTS:
        named = [line.name for line in found if line.level == level]
        if named:
            return level, f"{words}: {', '.join(named)}."
    return "good", "Everything works."


def _vision(found: ProcessHealth | None, now_s: float) -> BoxLine:
    level, words = _state(found, now_s)
    if found is not None and level == "good":
        load = found.values.get("load", 0.0)
        words = f"looks at {found.values.get('fps', 0.0):.1f} pictures a second; busy {load:.0%} of the time"
        if found.detail:
            level, words = "fair", f"{words}; {found.detail}"
    return BoxLine("finding people", level, words)


def _store(found: ProcessHealth | None, now_s: float) -> BoxLine:
    level, words = _state(found, now_s)
    if found is not None and level == "good":
        words = f"{found.values.get('committed_seq', 0.0):.0f} events written to disk"
        dropped = found.drops.get("events the outbox had to drop", 0)
        if dropped:
            level, words = "bad", f"{words}; {dropped} had to be dropped, which the events themselves tell"
    return BoxLine("counting", level, words)


def _uplink(found: ProcessHealth | None, now_s: float) -> BoxLine:
    level, words = _state(found, now_s)
    if found is not None:
        backlog = found.values.get("backlog", 0.0)
        if level == "good":
            words = "all events are delivered" if backlog == 0 else f"{backlog:.0f} events under way"
        elif backlog:
            waiting_s = found.values.get("oldest_waiting_s", 0.0)
            words = f"{words}; {backlog:.0f} events wait, the oldest for {_span(waiting_s)}: none is lost"
        days = found.values.get("certificate_days")
        if days is not None:
            words += f"; the certificate serves for {days:.0f} more days"
            level = "fair" if level == "good" and days < 14 else level
    return BoxLine("the way to the cloud", level, words)


def _disk(used: float | None) -> list[BoxLine]:
    if used is None:
        return [BoxLine("disk", "unknown", "cannot be looked at")]
    level: Level = "good" if used < LOW_DISK else "fair" if used < FULL_DISK else "bad"
    return [BoxLine("disk", level, f"{used:.0%} used")]


def _restarts(found: ProcessHealth | None) -> list[BoxLine]:
    if found is None or not found.values.get("restarts"):
        return []
    count = found.values["restarts"]
    level: Level = "fair" if found.state == "live" else "bad"
    return [BoxLine("processes", level, f"{count:.0f} restarts since the daemon was started")]


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"
