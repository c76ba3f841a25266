"""A day as tables to take away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from functools import partial
from typing import TypeAlias

from contract.facts import Dwell, Flip, Flow, Footfall, Heatmap, Interaction, TryOn, Visit
from runtime.console.days import figures
from runtime.daybook.daybook import Daybook

Table: TypeAlias = tuple[Sequence[str], Iterable[Sequence[object]]]
"""The header, and rows."""


def tables_of(book: Daybook, zone: tzinfo) -> dict[str, Callable[[], Table]]:
    """Every table of a day, by name, made when it is called for."""
    return {
        "footfall": partial(_footfall_rows, book, zone),
        "visits": partial(_visit_rows, book, zone),
        "dwell": partial(_dwell_rows, book, zone),
        "flow": lambda: (("from", "to", "people"), figures.flows(book.of(Flow))),
        "heat": partial(_heat_rows, book, zone),
        "garments": partial(_garment_rows, book, zone),
    }


def _footfall_rows(book: Daybook, zone: tzinfo) -> Table:
    header = ("begin", "end", "entrance", "in", "out", "inferred", "quality")
    return header, (
        (
            _stamp(zone, one.start_s),
            _stamp(zone, one.end_s),
            one.entrance,
            one.entered,
            one.left,
            one.inferred,
            one.quality,
        )
        for one in book.of(Footfall)
    )


def _visit_rows(book: Daybook, zone: tzinfo) -> Table:
    return ("time", "direction", "entrance", "stay_s"), (
        (_stamp(zone, one.time_s), one.direction, one.entrance, "" if one.stay_s is None else one.stay_s)
        for one in book.of(Visit)
    )


def _dwell_rows(book: Daybook, zone: tzinfo) -> Table:
    return ("begin", "end", "zone", "dwell_s", "quality"), (
        (_stamp(zone, one.enter_s), _stamp(zone, one.leave_s), one.zone, one.dwell_s, one.quality)
        for one in book.of(Dwell)
    )


def _heat_rows(book: Daybook, zone: tzinfo) -> Table:
    return ("x_m", "y_m", "side_m", "person_s"), (
        (*cell, round(person_s, 1)) for cell, person_s in figures.heat(book.of(Heatmap)).items()
    )


def _garment_rows(book: Daybook, zone: tzinfo) -> Table:
    found = figures.garments(book.of(Flip), book.of(Interaction), book.of(TryOn))
    return ("article", "turned_over", "by_somebody_seen", "tried_on"), (
        (one.sku, one.turned, one.by_somebody, one.tried_on) for one in found
    )


def _stamp(zone: tzinfo, time_s: float) -> str:
    return datetime.fromtimestamp(time_s, zone).isoformat(timespec="milliseconds")
