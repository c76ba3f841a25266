"""A real browser, and what the running daemon's own events say its pages should show."""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contract.describe import describe
from contract.envelope import Event, open_event
from contract.facts import (
    Dwell,
    Fact,
    Flip,
    Flow,
    Footfall,
    Heatmap,
    Interaction,
    ProcessHealth,
    TryOn,
    Visit,
)
from runtime.config import StoreConfig
from runtime.uplink.outbox.reader import OutboxReader

HOUR_S = 3600
ROWS_SHOWN = 12
SCRIPT = (Path(__file__).parent / "values.js").read_text()
LIVE_VALUES, FLOOR_VALUES, TODAY_VALUES = (
    f"() => {{ {SCRIPT}\n return {name}(); }}" for name in ("liveValues", "floorValues", "todayValues")
)


def chromium() -> str:
    """The browser; skips where there is none."""
    found = os.environ.get("TAGSIGHT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium here: scripts/fetch-chromium has one, then set TAGSIGHT_CHROMIUM")
    return found


@dataclass
class Told:
    """All events that the daemon has written, and the facts that hold."""

    events: list[Event]
    facts: list[Fact] = field(default_factory=list)

    @classmethod
    def of(cls, outbox: Path) -> Told:
        reader = OutboxReader(outbox)
        rows: list[Any] = []
        while more := reader.rows(rows[-1].seq + 1 if rows else 0, limit=5_000, max_bytes=10_000_000):
            rows += more
        reader.close()
        events = [open_event(row.body) for row in rows]
        newest: dict[str, Fact] = {}
        for event in events:
            known = newest.get(event.fact.key)
            if known is None or event.fact.rev > known.rev:
                newest[event.fact.key] = event.fact
        return cls(events, [fact for fact in newest.values() if not fact.retracted])

    def all(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def health(self, process: str) -> ProcessHealth:
        return [event.fact for event in self.events if getattr(event.fact, "process", "") == process][-1]  # type: ignore[return-value]


def expected_live(told: Told, config: StoreConfig) -> dict[str, str]:
    """Every value of the live page, by its place, that follows from events."""
    found: dict[str, str] = {}
    for entrance in config.entrances:
        for direction in ("in", "out"):
            count = sum(
                visit.entrance == entrance.name and visit.direction == direction for visit in told.all(Visit)
            )
            found[f"gate {entrance.name} {direction}"] = str(count)
    vision, reader = told.health("vision"), told.health("reader:ceiling")
    (camera,) = config.cameras
    fps = vision.values[f"{camera.name}_fps"]
    found[f"camera {camera.name}"] = f"{fps:.1f} of {camera.analysis_fps:g} pictures a second looked at"
    found["reader ceiling"] = f"{reader.values['reads_per_s']:.0f} reads a second"
    for antenna in config.readers[0].antennas:
        rate = reader.values.get(f"antenna_{antenna.port}_reads_per_s", 0.0)
        found[f"antenna {antenna.name}"] = f"{rate:.0f}/s" if rate else "reads nothing"
    zone = ZoneInfo(config.site.timezone)
    shown = [event for event in told.events if isinstance(event.fact, (Visit, Dwell, Interaction, TryOn))]
    for event in shown[-8:]:
        clock, _, words = describe(event, zone).split(None, 2)
        found[f"ticker {event.envelope.seq}"] = f"{clock} {words}"
    return found


def expected_today(told: Told) -> dict[str, str]:
    """Every value of today's page."""
    found = {
        "in": str(sum(one.direction == "in" for one in told.all(Visit))),
        "out": str(sum(one.direction == "out" for one in told.all(Visit))),
        "turned": str(len(told.all(Flip))),
        "tried": str(len(told.all(TryOn))),
    }
    stays_s = [one.stay_s for one in told.all(Visit) if one.stay_s is not None]
    found["visit"] = span(median(stays_s)) if stays_s else "\N{EN DASH}"
    by_hour: dict[int, list[Footfall]] = defaultdict(list)
    for one in told.all(Footfall):
        by_hour[int(one.start_s // HOUR_S) * HOUR_S].append(one)
    for begin_s, facts in by_hour.items():
        found[f"hour {begin_s} in"] = str(sum(one.entered for one in facts))
        found[f"hour {begin_s} out"] = str(sum(one.left for one in facts))
    lengths: dict[str, list[float]] = defaultdict(list)
    for dwell in told.all(Dwell):
        lengths[dwell.zone].append(dwell.dwell_s)
    for zone, each in lengths.items():
        found[f"zone {zone} stays"] = str(len(each))
        found[f"zone {zone} median"], found[f"zone {zone} total"] = span(median(each)), span(sum(each))
    ways: Counter[tuple[str, str]] = Counter()
    for flow in told.all(Flow):
        ways[flow.origin, flow.destination] += flow.transitions
    most_used = sorted((-count, *way) for way, count in ways.items() if count)[:ROWS_SHOWN]
    found |= {f"way {origin}>{destination} people": str(-less) for less, origin, destination in most_used}
    for sku in {one.sku for one in told.all(Flip)}:
        found[f"garment {sku} turned"] = str(sum(one.sku == sku for one in told.all(Flip)))
        seen = sum(one.sku == sku and one.visitor is not None for one in told.all(Interaction))
        found[f"garment {sku} somebody"] = str(seen)
    cells: dict[tuple[float, float], float] = defaultdict(float)
    for heat in told.all(Heatmap):
        for cell in heat.cells:
            at = (heat.origin_m[0] + cell.column * heat.cell_m, heat.origin_m[1] + cell.row * heat.cell_m)
            cells[at] += cell.person_s
    for (x_m, y_m), person_s in cells.items():
        found[f"cell {100 * x_m:g} {100 * y_m:g}"] = f"{person_s:.1f} person-seconds"
    return found


def span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def disagreements(page: dict[str, str], events: dict[str, str]) -> list[str]:
    """Where the page and the events do not say the same; a value that is missing on either side is one."""
    return [
        f"{key}: the page says {page.get(key)}, the events {events.get(key)}"
        for key in sorted({*page, *events})
        if page.get(key) != events.get(key) and not (key.startswith("hour") and page.get(key) == "?")
    ]


def falsified(value: str) -> str:
    """Another value of the same form."""
    for digit in "123456789":
        if digit in value:
            return value.replace(digit, str((int(digit) + 1) % 10), 1)
    return value.replace("0", "1", 1) if "0" in value else value + "x"
