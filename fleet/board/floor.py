"""Zones, heat and ways on the shop's plan, as its box told it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from contract.shop import EntrancePlace, FixturePlace, ZonePlace
from fleet.board.asked import Row
from web.plan import CM, DrawnArea, DrawnPlan, Point, area, gate, middle, text_cm_of

SHADES = 9
"""Steps of heat."""
MOST_WAYS = 8
EDGE_M = 0.5
BEND = 0.14
"""How far a way bends aside, as a share of its length: there and back lie apart."""


class _Layout(msgspec.Struct):
    extent_m: tuple[float, float, float, float] | None = None
    entrances: tuple[EntrancePlace, ...] = ()
    zones: tuple[ZonePlace, ...] = ()
    fixtures: tuple[FixturePlace, ...] = ()


def plan_of(layout: str) -> DrawnPlan | None:
    """The plan of what a `layout` row says; None where nothing has a place."""
    told = msgspec.json.decode(layout, type=_Layout)
    points = [point for zone in told.zones for point in zone.outline]
    points += [point for fixture in told.fixtures for point in fixture.outline]
    points += [point for one in told.entrances for point in one.line]
    if told.extent_m is None and not points:
        return None
    x0, y0, x1, y1 = told.extent_m or _around(points)
    extent_cm = (x0 * CM, y0 * CM, x1 * CM, y1 * CM)
    return DrawnPlan(
        extent_cm,
        tuple(area(one.name, one.outline) for one in told.zones if one.outline),
        tuple(area(one.name, one.outline) for one in told.fixtures if one.outline),
        tuple(gate(one.name, one.line, one.inside, text_cm_of(extent_cm)) for one in told.entrances),
    )


def _around(points: Sequence[Point]) -> tuple[float, float, float, float]:
    xs, ys = zip(*points, strict=True)
    return min(xs) - EDGE_M, min(ys) - EDGE_M, max(xs) + EDGE_M, max(ys) + EDGE_M


@dataclass(frozen=True)
class WarmZone:
    """A zone with its person-seconds; `shade` from 1 to SHADES, 0 for nobody."""

    name: str
    person_s: float
    shade: int
    place: DrawnArea | None

    @property
    def centre(self) -> Point:
        return middle(self.place.corners) if self.place is not None else (0.0, 0.0)


def warm_zones(plan: DrawnPlan | None, heat: Sequence[Row], hour: int | None) -> list[WarmZone]:
    """Every zone of the plan or of the heat, the warmest first; of one local hour, or of the whole day."""
    sums: Counter[str] = Counter()
    for row in heat:
        if hour is None or row["local_hour"] == hour:
            sums[row["zone_name"]] += row["person_s"]
    places = {} if plan is None else {zone.name: zone for zone in plan.zones}
    most = max(sums.values(), default=0.0)
    zones = [
        WarmZone(name, round(sums[name], 1), _shade(sums[name], most), places.get(name))
        for name in {**places, **sums}
    ]
    return sorted(zones, key=lambda zone: (-zone.person_s, zone.name))


def _shade(person_s: float, most: float) -> int:
    return 0 if person_s <= 0 else 1 + min(SHADES - 1, int(SHADES * person_s / most))


@dataclass(frozen=True)
class Way:
    """Walks from one zone to another; `path` and `width` are SVG's, empty where a zone is not on the plan."""

    origin: str
    destination: str
    transitions: int
    path: str = ""
    width: float = 0.0


def ways(plan: DrawnPlan | None, flow: Sequence[Row], hour: int | None) -> list[Way]:
    """The most walked first."""
    sums: Counter[tuple[str, str]] = Counter()
    for row in flow:
        if hour is None or row["local_hour"] == hour:
            sums[row["origin"], row["destination"]] += row["transitions"]
    ordered = sorted(
        ((pair, count) for pair, count in sums.items() if count), key=lambda one: (-one[1], one[0])
    )
    most = ordered[0][1] if ordered else 1
    found = []
    for at, ((origin, destination), count) in enumerate(ordered):
        path = _path(plan, origin, destination) if plan is not None and at < MOST_WAYS else ""
        width = 0.1 + 0.3 * count / most
        text_cm = 0.0 if plan is None else plan.text_cm
        found.append(Way(origin, destination, count, path, round(width * text_cm, 1) if path else 0.0))
    return found


def _path(plan: DrawnPlan, origin: str, destination: str) -> str:
    centres = {zone.name: middle(zone.corners) for zone in plan.zones}
    if origin not in centres or destination not in centres:
        return ""
    (ax, ay), (bx, by) = centres[origin], centres[destination]
    length = math.hypot(bx - ax, by - ay)
    if length < 1.0:
        return ""
    aside_x, aside_y = -(by - ay) * BEND, (bx - ax) * BEND
    short = min(0.32, 2.4 * plan.text_cm / length)
    ax, ay, bx, by = (
        ax + (bx - ax) * short,
        ay + (by - ay) * short,
        bx - (bx - ax) * short,
        by - (by - ay) * short,
    )
    mx, my = (ax + bx) / 2 + aside_x, (ay + by) / 2 + aside_y
    return f"M{ax:.0f},{ay:.0f} Q{mx:.0f},{my:.0f} {bx:.0f},{by:.0f}"
