"""The page of today, its figures as data, and as tables to take away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from statistics import median

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from contract.facts import Dwell, Flip, Flow, Footfall, Heatmap, Interaction, TryOn, Visit
from runtime.console.days import figures
from runtime.console.days.daybook import Daybook, local_day
from runtime.console.live import Live
from runtime.console.plan import plan_of
from runtime.console.shown import ShownStore
from web.access import Access
from web.pages import Pages
from web.plan import CM
from web.table import csv_response

SHADES = 9
"""Steps of the heatmap."""
ROWS_SHOWN = 12
"""Of ways and of garments; the page says where there are more."""


class TodayPages:
    """`shown` gives the store as it is configured now, `now` UTC seconds."""

    def __init__(
        self,
        pages: Pages,
        live: Live,
        shown: Callable[[], ShownStore],
        zone: tzinfo,
        now: Callable[[], float],
    ) -> None:
        self._pages = pages
        self._live = live
        self._shown = shown
        self._zone = zone
        self._now = now

    def routes(self, access: Access) -> list[BaseRoute]:
        """All for viewers."""
        return [
            Route("/today", access.viewer(self._page)),
            Route("/today/footfall.json", access.viewer(self._footfall)),
            Route("/today/heat", access.viewer(self._heat)),
            Route("/today/{table}.csv", access.viewer(self._csv)),
        ]

    @property
    def _book(self) -> Daybook:
        return self._live.daybook

    async def _page(self, request: Request) -> Response:
        await self._live.read()
        book, now_s = self._book, self._now()
        found = self._hours()
        return self._pages.render(
            request,
            "today.html",
            date=f"{datetime.fromtimestamp(now_s, self._zone):%A, %-d %B %Y}",
            gates=self._live.gates(),
            hours=[(self._clock(hour.begin_s), hour) for hour in found],
            stays=figures.stays(book.of(Dwell)),
            flows=figures.flows(book.of(Flow)),
            garments=figures.garments(book.of(Flip), book.of(Interaction), book.of(TryOn)),
            rows_shown=ROWS_SHOWN,
            cut_short=book.cut_short,
            fault=book.fault,
            visits=median_stay(book.of(Visit)),
            **self._heat_context(None),
        )

    async def _footfall(self, request: Request) -> Response:
        await self._live.read()
        found = self._hours()
        return JSONResponse(
            {
                "timezone": str(self._zone),
                "begin": [hour.begin_s for hour in found],
                "in": [hour.entered for hour in found],
                "out": [hour.left for hour in found],
                "quality": [hour.quality for hour in found],
            }
        )

    async def _heat(self, request: Request) -> Response:
        await self._live.read()
        given = request.query_params.get("hour", "")
        if given and not (given.isdigit() and int(given) < 25):
            raise HTTPException(400, "An hour is a number from 0 to 24.")
        return self._pages.render(
            request, "heat.html", 200, **self._heat_context(int(given) if given else None)
        )

    def _heat_context(self, hour: int | None) -> dict[str, object]:
        """Of the hour with that number from 0, or with 24 or None of the whole day."""
        begin_s = self._book.begin_s + (hour or 0) * figures.HOUR_S

        def wanted(start_s: float) -> bool:
            return hour in (None, 24) or begin_s <= start_s < begin_s + figures.HOUR_S

        cells = figures.heat(self._book.of(Heatmap), wanted)
        most = max(cells.values(), default=0.0)
        return {
            "plan": plan_of(self._shown()),
            "hour": 24 if hour is None else hour,
            "heat_words": "the whole day" if hour in (None, 24) else f"from {self._clock(begin_s)}",
            "most": most,
            "cells": [
                (x * CM, y * CM, side * CM, 1 + min(SHADES - 1, int(SHADES * person_s / most)), person_s)
                for (x, y, side), person_s in cells.items()
                if person_s > 0
            ],
        }

    async def _csv(self, request: Request) -> Response:
        await self._live.read()
        tables: dict[str, Callable[[], tuple[Sequence[str], Iterable[Sequence[object]]]]] = {
            "footfall": self._footfall_rows,
            "visits": self._visit_rows,
            "dwell": self._dwell_rows,
            "flow": lambda: (("from", "to", "people"), figures.flows(self._book.of(Flow))),
            "heat": self._heat_rows,
            "garments": self._garment_rows,
        }
        name = request.path_params["table"]
        if name not in tables:
            raise HTTPException(404, f"There is no such table; there are {', '.join(tables)}.")
        day = datetime.fromtimestamp(self._now(), self._zone).date().isoformat()
        return csv_response(f"{name}-{day}.csv", *tables[name]())

    def _footfall_rows(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        header = ("begin", "end", "entrance", "in", "out", "inferred", "quality")
        return header, (
            (
                self._stamp(one.start_s),
                self._stamp(one.end_s),
                one.entrance,
                one.entered,
                one.left,
                one.inferred,
                one.quality,
            )
            for one in self._book.of(Footfall)
        )

    def _visit_rows(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        return ("time", "direction", "entrance", "stay_s"), (
            (self._stamp(one.time_s), one.direction, one.entrance, "" if one.stay_s is None else one.stay_s)
            for one in self._book.of(Visit)
        )

    def _dwell_rows(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        return ("begin", "end", "zone", "dwell_s", "quality"), (
            (self._stamp(one.enter_s), self._stamp(one.leave_s), one.zone, one.dwell_s, one.quality)
            for one in self._book.of(Dwell)
        )

    def _heat_rows(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        return ("x_m", "y_m", "side_m", "person_s"), (
            (*cell, round(person_s, 1)) for cell, person_s in figures.heat(self._book.of(Heatmap)).items()
        )

    def _garment_rows(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        found = figures.garments(self._book.of(Flip), self._book.of(Interaction), self._book.of(TryOn))
        return ("article", "turned_over", "by_somebody_seen", "tried_on"), (
            (one.sku, one.turned, one.by_somebody, one.tried_on) for one in found
        )

    def _hours(self) -> list[figures.HourOfDay]:
        now_s = self._now()
        return figures.hours(self._book.of(Footfall), local_day(now_s, self._zone), now_s)

    def _clock(self, time_s: float) -> str:
        return f"{datetime.fromtimestamp(time_s, self._zone):%H:%M}"

    def _stamp(self, time_s: float) -> str:
        return datetime.fromtimestamp(time_s, self._zone).isoformat(timespec="milliseconds")


def median_stay(visits: Iterable[Visit]) -> float | None:
    """Of those who went out and were seen coming in, seconds; None for nobody."""
    stays_s = [visit.stay_s for visit in visits if visit.stay_s is not None]
    return median(stays_s) if stays_s else None
