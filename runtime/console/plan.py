"""The store's floor as the pages draw it."""

from __future__ import annotations

from runtime.console.shown import ShownStore
from web.plan import CM, DrawnPlan, area, gate, text_cm_of

DRAWING = "/floor-drawing"


def plan_of(shown: ShownStore) -> DrawnPlan:
    """Zones, racks and entrances of the configuration."""
    x0, y0, x1, y1 = shown.extent_m
    extent_cm = (x0 * CM, y0 * CM, x1 * CM, y1 * CM)
    return DrawnPlan(
        extent_cm,
        tuple(area(zone.name, zone.polygon) for zone in shown.zones),
        tuple(area(rack.name, rack.polygon or [rack.centre()]) for rack in shown.fixtures),
        tuple(gate(each.name, each.line, each.inside, text_cm_of(extent_cm)) for each in shown.entrances),
        "" if shown.floor_image is None else DRAWING,
    )
