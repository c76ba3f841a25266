"""One day as a page of its own, that needs no other file, and as a picture."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contract.facts import Dwell, Flip, Flow, Footfall, Heatmap, Interaction, TryOn, Visit
from runtime.console.days import figures
from runtime.console.plan import plan_of
from runtime.console.shown import ShownStore
from runtime.daybook.daybook import Daybook, local_day
from web.plan import CM

TEMPLATES = Path(__file__).parents[1] / "templates"
SHADES = 9
PICTURE_PX = 1_200
WARM = (63, 119, 217)
"""Blue, green, red of the busiest cell."""


def report_html(site: str, day: date, book: Daybook, shown: ShownStore, zone: tzinfo) -> str:
    """The day's figures, with a heatmap by hour."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    hours = figures.hours(
        book.of(Footfall), local_day(book.begin_s, zone), local_day(book.begin_s, zone)[1] - 1
    )
    garments = figures.garments(book.of(Flip), book.of(Interaction), book.of(TryOn))
    return environment.get_template("report.html").render(
        site=site,
        day=f"{day:%A, %-d %B %Y}",
        zone=str(zone),
        gates=book.gates(),
        hours=[(f"{datetime.fromtimestamp(hour.begin_s, zone):%H:%M}", hour) for hour in hours],
        most=max([*(hour.entered or 0 for hour in hours), *(hour.left or 0 for hour in hours), 1]),
        stays=figures.stays(book.of(Dwell)),
        flows=figures.flows(book.of(Flow)),
        garments=garments,
        visits=len(book.of(Visit)),
        funnel=[
            ("turned over or picked", sum(one.turned for one in garments)),
            ("by somebody who was seen", sum(one.by_somebody for one in garments)),
            ("tried on", sum(one.tried_on for one in garments)),
        ],
        plan=plan_of(shown),
        heat=_heat_by_hour(book, zone),
        fault=book.fault,
        cut_short=book.cut_short,
    )


def _heat_by_hour(book: Daybook, zone: tzinfo) -> list[dict[str, Any]]:
    """The whole day first, then each hour in which somebody was on the floor; shades are of the same scale
    for all hours."""
    facts = book.of(Heatmap)
    by_hour: dict[int, list[Heatmap]] = defaultdict(list)
    for fact in facts:
        by_hour[int((fact.start_s - book.begin_s) // figures.HOUR_S)].append(fact)
    found = [("the whole day", figures.heat(facts))]
    for hour in sorted(by_hour):
        clock = f"{datetime.fromtimestamp(book.begin_s + hour * figures.HOUR_S, zone):%H:%M}"
        found.append((f"from {clock}", figures.heat(by_hour[hour])))
    busiest = max((max(cells.values(), default=0.0) for _, cells in found[1:]), default=0.0)
    return [
        {
            "words": words,
            "cells": [
                (x * CM, y * CM, side * CM, 1 + min(SHADES - 1, int(SHADES * person_s / most)), person_s)
                for (x, y, side), person_s in cells.items()
                if person_s > 0
            ],
        }
        for words, cells in found
        for most in [(max(cells.values(), default=0.0) if words == "the whole day" else busiest) or 1.0]
    ]


def heat_png(book: Daybook, shown: ShownStore) -> bytes:
    """Where people spent the day, on the plan, as PNG."""
    x0, y0, x1, y1 = shown.extent_m
    scale = PICTURE_PX / max(x1 - x0, y1 - y0)
    image = np.full((max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale)), 3), 250, np.uint8)
    cells = figures.heat(book.of(Heatmap))
    most = max(cells.values(), default=0.0) or 1.0

    def pixel(x: float, y: float) -> tuple[int, int]:
        return round((x - x0) * scale), round((y - y0) * scale)

    for (x, y, side), person_s in cells.items():
        share = (person_s / most) ** 0.5
        colour = [250 + share * (warm - 250) for warm in WARM]
        cv2.rectangle(image, pixel(x, y), pixel(x + side, y + side), colour, -1)
    for zone in shown.zones:
        cv2.polylines(
            image, [np.array([pixel(*one) for one in zone.polygon])], True, (150, 150, 150), 2, cv2.LINE_AA
        )
    for rack in shown.fixtures:
        if rack.polygon is not None:
            cv2.polylines(
                image, [np.array([pixel(*one) for one in rack.polygon])], True, (90, 90, 90), 3, cv2.LINE_AA
            )
    for gate in shown.entrances:
        cv2.line(image, pixel(*gate.line[0]), pixel(*gate.line[1]), (110, 118, 15), 6, cv2.LINE_AA)
    return bytes(cv2.imencode(".png", image)[1].tobytes())
