"""The page of today, its figures as data, and as tables to take away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, tzinfo
from statistics import median

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from contract.facts import Dwell, Flip, Flow, Footfall, Heatmap, Interaction, TryOn, Visit
from runtime.console.days import figures
from runtime.console.days.past import PastDays, parse_day
from runtime.console.days.report import report_html
from runtime.console.days.tables import tables_of
from runtime.console.live import Live
from runtime.console.plan import plan_of
from runtime.console.shown import Setup, ShownStore
from runtime.daybook.daybook import Daybook, local_day
from tagsight.errors import TagsightError
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
        setup: Setup,
    ) -> None:
        self._pages = pages
        self._live = live
        self._shown = shown
        self._zone = zone
        self._now = now
        self._site = setup.site
        self._days_kept = setup.days_kept
        self._books = PastDays(setup.outbox, zone)

    def routes(self, access: Access) -> list[BaseRoute]:
        """All for viewers."""
        return [
            Route("/today", access.viewer(self._page)),
            Route("/today/footfall.json", access.viewer(self._footfall)),
            Route("/today/heat", access.viewer(self._heat)),
            Route("/today/{table}.csv", access.viewer(self._csv)),
            Route("/days/{day}/report.html", access.viewer(self._report)),
            Route("/days/{day}/{table}.csv", access.viewer(self._past_csv)),
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
            days=self._days_before(),
            **self._heat_context(None),
        )

    def _days_before(self) -> list[tuple[str, str]]:
        """Address and words of the days that the box may still have, yesterday first."""
        today = datetime.fromtimestamp(self._now(), self._zone).date()
        days = [today - timedelta(days=back) for back in range(1, self._days_kept + 1)]
        return [(day.isoformat(), f"{day:%A, %-d %B}") for day in days]

    async def _past(self, request: Request) -> tuple[date, Daybook]:
        try:
            day = parse_day(request.path_params["day"], self._zone, self._now())
        except TagsightError as error:
            raise HTTPException(404, str(error)) from None
        loop = asyncio.get_running_loop()
        book = await loop.run_in_executor(self._live.reading, self._books.book, day, self._now())
        return day, book

    async def _report(self, request: Request) -> Response:
        """To be taken away: it holds its own style and script, which no page of ours may."""
        day, book = await self._past(request)
        page = report_html(self._site, day, book, self._shown(), self._zone)
        name = f'attachment; filename="report-{day.isoformat()}.html"'
        return Response(page, media_type="text/html", headers={"Content-Disposition": name})

    async def _past_csv(self, request: Request) -> Response:
        day, book = await self._past(request)
        return self._table(request, book, day.isoformat())

    def _table(self, request: Request, book: Daybook, day: str) -> Response:
        tables = tables_of(book, self._zone)
        name = request.path_params["table"]
        if name not in tables:
            raise HTTPException(404, f"There is no such table; there are {', '.join(tables)}.")
        return csv_response(f"{name}-{day}.csv", *tables[name]())

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
        day = datetime.fromtimestamp(self._now(), self._zone).date().isoformat()
        return self._table(request, self._book, day)

    def _hours(self) -> list[figures.HourOfDay]:
        now_s = self._now()
        return figures.hours(self._book.of(Footfall), local_day(now_s, self._zone), now_s)

    def _clock(self, time_s: float) -> str:
        return f"{datetime.fromtimestamp(time_s, self._zone):%H:%M}"


def median_stay(visits: Iterable[Visit]) -> float | None:
    """Of those who went out and were seen coming in, seconds; None for nobody."""
    stays_s = [visit.stay_s for visit in visits if visit.stay_s is not None]
    return median(stays_s) if stays_s else None
